import { reddit } from "../../src/platforms/platforms.ts";
import { redditUrls } from "../fixtures/platforms/network_urls.ts";
import { testTable } from "../fixtures/platforms/url_table.ts";

testTable("reddit", reddit, redditUrls);
