/** Holds a cache open and does nothing. Prints a port when it is open. */
// deno-lint-ignore-file no-console
import { MediaCache } from "@media-cache/media-cache";

await MediaCache.open({ cacheDir: Deno.args[0] ?? "" });
// An open cache keeps no process alive; a socket does.
const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
console.log(listener.addr.port);
await listener.accept();
