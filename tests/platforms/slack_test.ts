import { slack } from "../../src/platforms/platforms.ts";
import { slackUrls } from "../fixtures/platforms/slack_urls.ts";
import { testTable } from "../fixtures/platforms/url_table.ts";

testTable("slack", slack, slackUrls);
