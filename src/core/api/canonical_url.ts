/**
 * Returns the canonical URL of a URL.
 *
 * @throws {TypeError} If `canonicalUrl` returns anything but a string that is not empty.
 * @throws Whatever `canonicalUrl` throws.
 */
export function canonicalBy(
  canonicalUrl: (url: string) => string,
  url: string,
): string {
  const canonical: unknown = canonicalUrl(url);
  if (typeof canonical === "string" && canonical !== "") {
    return canonical.toWellFormed();
  }
  // A promise is a wrong type here; its rejection must not stay unhandled.
  if (canonical instanceof Promise) canonical.catch(() => {});
  const received = canonical === "" ? "an empty string" : typeof canonical;
  throw new TypeError(
    `Cannot use URL: canonicalUrl must return a string that is not empty: received ${received}`,
  );
}
