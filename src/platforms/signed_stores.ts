import { parametersOf } from "./query.ts";
import { isWeb, textOf, webHost } from "./url_text.ts";

/** A way to sign URLs. */
interface Scheme {
  /** The provider's own hosts. */
  readonly hosts: RegExp;
  /** Parameters of which a signed URL has each, or each of another list. */
  readonly whole: readonly (readonly string[])[];
  /** Further parameters of the signature. */
  readonly optional: readonly string[];
}

const REGION = "[a-z]{2}(?:-[a-z]+)+-\\d+";

const S3_HOSTS = new RegExp(
  `^(?:[^/]+\\.)?s3(?:-accelerate|-accesspoint|-fips)?(?:\\.dualstack)?(?:[.-]${REGION})?` +
    "\\.amazonaws\\.com(?:\\.cn)?$",
);

const GOOGLE_HOSTS = /^(?:[^/]+\.)?storage\.googleapis\.com$/;

const AZURE_HOSTS =
  /^[a-z0-9-]+\.(?:(?:blob|dfs|file)\.core\.(?:windows\.net|chinacloudapi\.cn|usgovcloudapi\.net)|z\d+\.(?:blob|dfs|file)\.storage\.azure\.net)$/;

const SCHEMES: readonly Scheme[] = [
  {
    // https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
    hosts: S3_HOSTS,
    whole: [[
      ...["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires"],
      ...["X-Amz-SignedHeaders", "X-Amz-Signature"],
    ]],
    // The session of a directory bucket, and the regions of SigV4A.
    optional: [
      ...["X-Amz-Security-Token", "X-Amz-Content-Sha256"],
      ...["X-Amz-S3session-Token", "X-Amz-Region-Set"],
    ],
  },
  {
    // https://docs.aws.amazon.com/AmazonS3/latest/API/RESTAuthentication.html
    hosts: S3_HOSTS,
    whole: [["AWSAccessKeyId", "Expires", "Signature"]],
    optional: ["x-amz-security-token"],
  },
  {
    // https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-signed-urls.html
    hosts: /^[a-z0-9]+\.cloudfront\.net$/,
    whole: [
      ["Expires", "Signature", "Key-Pair-Id"],
      ["Policy", "Signature", "Key-Pair-Id"],
    ],
    optional: ["Hash-Algorithm"],
  },
  {
    // https://cloud.google.com/storage/docs/authentication/signatures
    hosts: GOOGLE_HOSTS,
    whole: [[
      ...["X-Goog-Algorithm", "X-Goog-Credential", "X-Goog-Date"],
      ...["X-Goog-Expires", "X-Goog-SignedHeaders", "X-Goog-Signature"],
    ]],
    optional: [],
  },
  {
    // https://cloud.google.com/storage/docs/access-control/signed-urls-v2
    hosts: GOOGLE_HOSTS,
    whole: [["GoogleAccessId", "Expires", "Signature"]],
    optional: [],
  },
  {
    // https://learn.microsoft.com/rest/api/storageservices/create-service-sas,
    // create-account-sas and create-user-delegation-sas there
    hosts: AZURE_HOSTS,
    whole: [
      ["sv", "sr", "sp", "se", "sig"],
      ["sv", "sr", "si", "sig"],
      ["sv", "ss", "srt", "sp", "se", "sig"],
    ],
    optional: [
      ...["st", "spr", "sip", "sdd", "ses", "si"],
      ...["skoid", "sktid", "skt", "ske", "sks", "skv", "saoid", "suoid"],
      ...["scid", "skdutid", "sduoid"],
    ],
  },
];

/**
 * Signed URLs of stores: S3 (both versions of its signature), CloudFront, Google Cloud
 * Storage (both versions) and shared access signatures of Azure. On the provider's own
 * hosts each parameter of a signature goes. Elsewhere, as with a store of one's own or
 * a domain of one's own, only a whole set goes, since `Expires` or `sig` alone may
 * select anything there. What selects a version, a part or headers of the response
 * stays: `versionId`, `partNumber`, `response-…`, `generation`, `snapshot`,
 * `versionid`, `rsct`, `rscd` and every other parameter.
 *
 * Sources: the pages of the providers that the code names.
 *
 * @param url The URL.
 * @returns The canonical URL, or undefined for hosts that are no provider's, without a
 * whole set.
 *
 * @example An object of a private bucket, signed twice
 * ```ts
 * import { platforms, signedStores } from "@media-cache/media-cache/platforms";
 * import { assertEquals } from "@std/assert";
 *
 * const canonical = platforms(signedStores);
 * const object = "https://cats.s3.eu-central-1.amazonaws.com/a.png?versionId=3";
 *
 * assertEquals(canonical(`${object}&X-Amz-Date=20261130T080000Z&X-Amz-Signature=ab`), object);
 * assertEquals(canonical(`${object}&X-Amz-Date=20261130T090000Z&X-Amz-Signature=cd`), object);
 * ```
 */
export function signedStores(url: URL): string | undefined {
  if (!isWeb(url)) return undefined;
  const host = webHost(url) ?? "";
  const names = new Set(
    parametersOf(url.search).filter(({ value }) => value !== "")
      .map(({ name }) => name),
  );
  const proofs = new Set(
    SCHEMES.flatMap(({ hosts, whole, optional }) => {
      // Elsewhere a name of a list that is not whole may select anything.
      const lists = hosts.test(host)
        ? whole
        : whole.filter((list) => list.every((name) => names.has(name)));
      return lists.length === 0 ? [] : [...lists.flat(), ...optional];
    }),
  );
  if (proofs.size === 0) return undefined;
  return textOf(url, {
    isGone: ({ name }) => proofs.has(name),
    keepsUser: !SCHEMES.some(({ hosts }) => hosts.test(host)),
  });
}
