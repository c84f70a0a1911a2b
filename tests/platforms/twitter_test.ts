import { twitter } from "../../src/platforms/platforms.ts";
import { twitterUrls } from "../fixtures/platforms/network_urls.ts";
import { testTable } from "../fixtures/platforms/url_table.ts";

testTable("twitter", twitter, twitterUrls);
