/** A fetch without a cache: the floor of all contenders that fetch. */
import type { Contender } from "./contender.ts";

/** Opens the contender. */
export function open(): Promise<Contender> {
  const bytes = async (url: string) =>
    (await (await fetch(url)).bytes()).length;
  const stream = async (url: string) => {
    const { body } = await fetch(url);
    if (body === null) throw new Error("No body");
    return body;
  };
  return Promise.resolve({
    put: bytes,
    bytes,
    stream,
    download: async (url) => ({
      body: await stream(url),
      stored: Promise.resolve(),
    }),
  });
}
