// Stands in for the wasm of `@std/crypto`, which npm's copy of std lacks: the
// same two exports over node:crypto. It hashes chunk by chunk, as the wasm does.
import { createHash } from "node:crypto";

export class DigestContext {
  #hash;
  constructor(algorithm) {
    this.#hash = createHash(algorithm.replace(/^SHA-/, "sha"));
  }
  update(bytes) {
    this.#hash.update(bytes);
  }
  digestAndDrop(_length) {
    // A copy, because the caller takes the whole buffer behind it.
    return new Uint8Array(this.#hash.digest());
  }
}

export function digest(algorithm, bytes, length) {
  const context = new DigestContext(algorithm);
  context.update(bytes);
  return context.digestAndDrop(length);
}
