import { assertEquals, assertThrows } from "@std/assert";
import { matrix, platforms } from "../../src/platforms/platforms.ts";
import {
  HOMESERVERS,
  matrixUrls,
  namedMatrixUrls,
} from "../fixtures/platforms/matrix_urls.ts";
import { testTable } from "../fixtures/platforms/url_table.ts";

testTable("matrix()", matrix(), matrixUrls);

const named = platforms(matrix(HOMESERVERS));

for (const [canonical, urls] of Object.entries(namedMatrixUrls.media)) {
  Deno.test(`matrix(homeservers): each URL of the media becomes ${canonical}`, () => {
    for (const url of [canonical, ...urls]) {
      assertEquals(named(url), canonical, url);
    }
  });
}

Deno.test("matrix(homeservers): other URLs of a homeserver stay as they are", () => {
  for (const url of namedMatrixUrls.strangers) assertEquals(named(url), url);
});

Deno.test("matrix(homeservers) throws for what is no URL of a web server, without telling it", () => {
  for (
    const homeserver of ["hs.example", "", "ftp://hs.example", "mxc://a/b"]
  ) {
    const error = assertThrows(() => matrix([homeserver]), TypeError);
    assertEquals(
      error.message,
      "Cannot make the rule: homeservers must be http: or https: URLs",
    );
  }
});
