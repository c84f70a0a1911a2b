import { klipy } from "../../src/platforms/platforms.ts";
import { klipyUrls } from "../fixtures/platforms/gif_urls.ts";
import { testTable } from "../fixtures/platforms/url_table.ts";

testTable("klipy", klipy, klipyUrls);
