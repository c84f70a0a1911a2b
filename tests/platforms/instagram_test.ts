import { instagram } from "../../src/platforms/platforms.ts";
import { instagramUrls } from "../fixtures/platforms/meta_urls.ts";
import { testTable } from "../fixtures/platforms/url_table.ts";

testTable("instagram", instagram, instagramUrls);
