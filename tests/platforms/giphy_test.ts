import { giphy } from "../../src/platforms/platforms.ts";
import { giphyUrls } from "../fixtures/platforms/gif_urls.ts";
import { testTable } from "../fixtures/platforms/url_table.ts";

testTable("giphy", giphy, giphyUrls);
