import { signedStores } from "../../src/platforms/platforms.ts";
import { signedStoreUrls } from "../fixtures/platforms/signed_store_urls.ts";
import { testTable } from "../fixtures/platforms/url_table.ts";

testTable("signedStores", signedStores, signedStoreUrls);
