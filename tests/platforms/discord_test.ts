import { discord } from "../../src/platforms/platforms.ts";
import { discordUrls } from "../fixtures/platforms/discord_urls.ts";
import { testTable } from "../fixtures/platforms/url_table.ts";

testTable("discord", discord, discordUrls);
