import { fromFileUrl } from "@std/path/from-file-url";

/**
 * The path that a `file:` URL names; undefined where it names none of this
 * machine. (`fromFileUrl()` forgets the host of `file://host/dir` where there are
 * no UNC paths, and then means another folder.)
 */
export function pathOfFileUrl(text: string | URL): string | undefined {
  const url = URL.parse(text);
  if (url?.protocol !== "file:") return undefined;
  if (url.hostname !== "" && Deno.build.os !== "windows") return undefined;
  try {
    const path = fromFileUrl(url);
    return path.includes("\0") ? undefined : path;
  } catch {
    // Its escapes are no UTF-8.
  }
  return undefined;
}
