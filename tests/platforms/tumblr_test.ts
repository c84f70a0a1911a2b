import { tumblr } from "../../src/platforms/platforms.ts";
import { tumblrUrls } from "../fixtures/platforms/network_urls.ts";
import { testTable } from "../fixtures/platforms/url_table.ts";

testTable("tumblr", tumblr, tumblrUrls);
