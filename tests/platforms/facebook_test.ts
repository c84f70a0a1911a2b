import { facebook } from "../../src/platforms/platforms.ts";
import { facebookUrls } from "../fixtures/platforms/meta_urls.ts";
import { testTable } from "../fixtures/platforms/url_table.ts";

testTable("facebook", facebook, facebookUrls);
