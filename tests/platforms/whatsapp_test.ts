import { whatsapp } from "../../src/platforms/platforms.ts";
import { whatsappUrls } from "../fixtures/platforms/meta_urls.ts";
import { testTable } from "../fixtures/platforms/url_table.ts";

testTable("whatsapp", whatsapp, whatsappUrls);
