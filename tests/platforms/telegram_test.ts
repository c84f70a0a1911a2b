import { telegram } from "../../src/platforms/platforms.ts";
import { telegramUrls } from "../fixtures/platforms/telegram_urls.ts";
import { testTable } from "../fixtures/platforms/url_table.ts";

testTable("telegram", telegram, telegramUrls);
