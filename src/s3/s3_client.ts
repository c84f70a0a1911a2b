import { AwsV4Signer } from "aws4fetch";
import type { CredentialSource, S3Credentials } from "./credentials.ts";
import { codeOfError, refusalOf } from "./engine_answer.ts";
import { unreachedError } from "./connection_error.ts";
import { UnreadBodies } from "./unread_bodies.ts";
import { Uploads } from "./upload.ts";

/** SHA-256 of no bytes. */
const NO_BODY_SHA256 =
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/** The most signing keys that are remembered: of a day, or of temporary credentials. */
const MAX_SIGNING_KEYS = 8;

/** Where the bucket is, and by which keys it is asked. */
export interface Bucket {
  /** The address of the bucket, with a slash at its end. */
  readonly url: URL;
  /** The region of the signature; undefined to take it from the address, as of AWS. */
  readonly region: string | undefined;
  /** The keys. */
  readonly credentials: CredentialSource;
}

/** A request without a body, or with one in memory. */
export interface BucketRequest {
  /** The method. */
  readonly method: "GET" | "HEAD" | "PUT" | "DELETE";
  /** The name of the object; "" for the bucket itself. */
  readonly name: string;
  /** Parameters of the address. */
  readonly query?: Readonly<Record<string, string>>;
  /** Headers to be signed, in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** An object to be sent. */
export interface ObjectUpload {
  /** The name of the object. */
  readonly name: string;
  /** Headers to be signed, in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Bytes of the body. */
  readonly size: number;
  /** SHA-256 of the body: the store refuses other bytes. */
  readonly sha256: string;
  /** Opens the body; again for another attempt. */
  readonly open: () => ReadableStream<Uint8Array>;
}

/**
 * Signs and sends requests to a bucket (AWS Signature Version 4). A refusal that new
 * credentials may cure is tried again with them, once. Redirects are not followed: they
 * would lead credentials elsewhere.
 */
export class S3Client {
  readonly #bucket: Bucket;
  readonly #uploads = new Uploads();
  readonly #unread = new UnreadBodies();
  readonly #signingKeys = new Map<string, ArrayBuffer>();
  #http: Deno.HttpClient | undefined;

  /** Keeps the bucket; the first request makes the first connection. */
  constructor(bucket: Bucket) {
    this.#bucket = bucket;
  }

  /**
   * Sends a request.
   *
   * @returns The answer, whatever its status. The caller reads or drops its body.
   */
  request(request: BucketRequest, signal: AbortSignal): Promise<Response> {
    const { method, name, query, headers = {} } = request;
    return this.#attempts(signal, async (credentials) => {
      const url = this.#urlOf(name, query);
      const signed = await this.#sign(credentials, {
        ...{ method, url, headers },
        sha256: NO_BODY_SHA256,
      });
      // Not signed, since proxies may change it. The default would let a proxy send coded
      // bytes of another length.
      signed.set("accept-encoding", "identity");
      // Behind `close()` a new client would never be closed.
      signal.throwIfAborted();
      try {
        // Programs that type-check with the library of browsers have a `RequestInit`
        // without `client`.
        const init: RequestInit & { client: Deno.HttpClient } = {
          ...{ method, headers: signed, signal, redirect: "manual" },
          client: this.#http ??= Deno.createHttpClient({}),
          ...(method === "PUT" ? { body: new Uint8Array() } : {}),
        };
        return await fetch(url, init);
      } catch (error) {
        signal.throwIfAborted();
        throw unreachedError(error, url);
      }
    });
  }

  /** Sends an object at the pace of the connection; returns the answer. */
  upload(object: ObjectUpload, signal: AbortSignal): Promise<Response> {
    const { name, headers, size, sha256, open } = object;
    return this.#attempts(signal, async (credentials) => {
      const url = this.#urlOf(name);
      const signed = await this.#sign(credentials, {
        ...{ method: "PUT", url, headers, sha256 },
      });
      // The type is not that of the entry: no browser may run what strangers have sent.
      signed.set("content-type", "application/octet-stream");
      return await this.#uploads.send(
        { url, headers: signed, size, open },
        signal,
      );
    });
  }

  /** Lets go of an answer whose body is not needed, so that its connection serves again. */
  drop(answer: Response): void {
    this.#unread.add(answer);
  }

  /** Closes all connections. A later request would make new ones. */
  async close(): Promise<void> {
    this.#uploads.close();
    await this.#unread.close();
    this.#http?.close();
    this.#http = undefined;
  }

  async #attempts(
    signal: AbortSignal,
    send: (credentials: S3Credentials) => Promise<Response>,
  ): Promise<Response> {
    const { credentials } = this.#bucket;
    const first = await credentials.get(signal);
    const response = await send(first);
    const { status } = response;
    const mayBeCurable = credentials.canRenew &&
      (status === 400 || status === 401 || status === 403);
    if (!mayBeCurable) return response;
    // AWS tells of an expired token by status 400, which has many other causes. The answer
    // to HEAD has no code.
    const code = codeOfError(await refusalOf(response.clone()));
    const isCurable = status !== 400 ||
      /^(?:(?:Expired|Invalid)Token.*)?$/.test(code);
    if (!isCurable || !await credentials.renew(first, signal)) return response;
    this.drop(response);
    return await send(await credentials.get(signal));
  }

  async #sign(
    { accessKeyId, secretAccessKey, sessionToken }: S3Credentials,
    { method, url, headers, sha256 }: {
      method: string;
      url: URL;
      headers: Readonly<Record<string, string>>;
      sha256: string;
    },
  ): Promise<Headers> {
    const { region } = this.#bucket;
    if (this.#signingKeys.size >= MAX_SIGNING_KEYS) this.#signingKeys.clear();
    const signer = new AwsV4Signer({
      ...{ method, url: url.href, service: "s3", cache: this.#signingKeys },
      ...{ accessKeyId, secretAccessKey },
      headers: { ...headers, "x-amz-content-sha256": sha256 },
      ...(sessionToken === undefined ? {} : { sessionToken }),
      ...(region === undefined ? {} : { region }),
    });
    return (await signer.sign()).headers;
  }

  #urlOf(name: string, query: Readonly<Record<string, string>> = {}): URL {
    const url = new URL(this.#bucket.url);
    url.pathname += name;
    for (const [key, value] of Object.entries(query)) {
      url.searchParams.set(key, value);
    }
    return url;
  }
}
