import { line } from "./screen.ts";

/** The program that starts a real object store; not part of the published package. */
const CEPH = new URL(
  "../../tests/fixtures/remote/ceph_server.ts",
  import.meta.url,
);

/** A bucket that the hosts of the demo share. */
export interface DemoBucket extends AsyncDisposable {
  /** The variables by which a host finds the bucket. */
  readonly environment: Record<string, string>;
}

/**
 * The bucket of the environment, or of a Ceph that is started here.
 *
 * @throws {Error} If the environment names no bucket, and Ceph is not installed.
 */
export async function findBucket(): Promise<DemoBucket> {
  const endpoint = Deno.env.get("MEDIA_CACHE_S3_ENDPOINT");
  if (endpoint) {
    line(`The bucket of the environment, at ${endpoint}`);
    // Processes inherit the environment.
    return { environment: {}, [Symbol.asyncDispose]: () => Promise.resolve() };
  }
  if (!await isInstalled("radosgw")) {
    throw new Error(
      "There is no bucket: MEDIA_CACHE_S3_ENDPOINT and MEDIA_CACHE_S3_BUCKET must name " +
        "one, or Debian's packages ceph-mon, ceph-osd, ceph-common and radosgw be there",
    );
  }
  line("Starting Ceph, which takes some ten seconds");
  const store = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", CEPH.href],
    stdin: "piped",
    stdout: "piped",
    // Ctrl-C ends the demo, which then ends the store.
    detached: true,
  }).spawn();
  const end = async () => {
    await store.stdin.close().catch(() => {});
    await store.status;
  };
  const told = await firstLine(store.stdout);
  if (told === undefined) {
    await end();
    throw new Error("Ceph has not started");
  }
  return {
    environment: JSON.parse(told).environment,
    [Symbol.asyncDispose]: end,
  };
}

async function isInstalled(program: string): Promise<boolean> {
  try {
    const command = new Deno.Command(program, { args: ["--version"] });
    return (await command.output()).success;
  } catch {
    return false;
  }
}

/**
 * The first line that a process prints; undefined if it ends before. What it prints later
 * is read and dropped, so that it never waits.
 */
export async function firstLine(
  output: ReadableStream<Uint8Array<ArrayBuffer>>,
): Promise<string | undefined> {
  const reader = output.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { done, value } = await reader.read();
    if (done) return undefined;
    text += value;
  }
  const drain = async () => {
    while (!(await reader.read()).done);
  };
  drain().catch(() => {});
  return text.slice(0, text.indexOf("\n"));
}
