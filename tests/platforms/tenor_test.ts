import { tenor } from "../../src/platforms/platforms.ts";
import { tenorUrls } from "../fixtures/platforms/gif_urls.ts";
import { testTable } from "../fixtures/platforms/url_table.ts";

testTable("tenor", tenor, tenorUrls);
