/** The stand-in knows the SHA family only; std knows 31 names. */
export type DigestAlgorithmName = "SHA-1" | "SHA-256" | "SHA-384" | "SHA-512";
export type DigestAlgorithmObject = {
  name: DigestAlgorithmName;
  length?: number;
};
export type DigestAlgorithm = DigestAlgorithmName | DigestAlgorithmObject;
export interface StdSubtleCrypto extends SubtleCrypto {
  digest(
    algorithm: DigestAlgorithm,
    data: BufferSource | AsyncIterable<BufferSource> | Iterable<BufferSource>,
  ): Promise<ArrayBuffer>;
  digestSync(
    algorithm: DigestAlgorithm,
    data: BufferSource | Iterable<BufferSource>,
  ): ArrayBuffer;
}
export interface StdCrypto extends Crypto {
  readonly subtle: StdSubtleCrypto;
}
export const crypto: StdCrypto;

export function timingSafeEqual(
  a: ArrayBufferView | ArrayBufferLike,
  b: ArrayBufferView | ArrayBufferLike,
): boolean;
