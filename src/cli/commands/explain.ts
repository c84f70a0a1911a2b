import type { Call } from "../call/call.ts";
import type { Command } from "../call/command.ts";
import {
  DIR_OPTION,
  JSON_OPTION,
  KEY_OPTION,
  PLATFORMS_OPTION,
  URLS_OPTION,
} from "../call/command_option.ts";
import { expectUsable } from "../call/directory.ts";
import { EXIT } from "../call/failures.ts";
import type { RemoteEntry } from "../../core/api/remote_tier.ts";
import { type Inspection, Inspector } from "../../core/inspection.ts";
import {
  formatBytes,
  formatCount,
  formatTime,
} from "../../core/text/quantities.ts";
import { bounded } from "../remote/bounded.ts";
import { BUCKET_PERMISSIONS, faultOf, findBucket } from "../remote/bucket.ts";
import { layOutFacts } from "../output/table.ts";
import { expectTargets, targetsOf } from "../call/targets.ts";

/** `explain`: tells everything about one URL. */
export const explain: Command = {
  name: "explain",
  operands: "URL",
  summary: "tell whether a URL is stored, why not, and what is known of it",
  details: [
    "URLs are compared as given. If your program opens the cache with",
    "canonicalUrl: platforms(), add --platforms; with another one, ask for the",
    "canonical URL. If the environment names a bucket, as 'remote' has it, its object",
    "is looked for too.",
  ],
  options: {
    dir: DIR_OPTION,
    key: KEY_OPTION,
    platforms: PLATFORMS_OPTION,
    urls: URLS_OPTION,
    json: JSON_OPTION,
  },
  permissions: [
    "--allow-read=DIR",
    `and ${BUCKET_PERMISSIONS} to look into a bucket`,
  ],
  json: [
    "{ key, stored, reason, mimetype, filename, size, storedAt, lastAccess,",
    "  sha256, sourceMimetype, sourceSize, conversion, etag, lastModified,",
    "  validatedAt, resumed, retried, places, url,",
    "  staged: [{ name, size, locked }],",
    "  remote: { stored, reason, mimetype, filename, size, storedAt, sha256 } }",
    "(null where unknown; reason says why it is not stored, conversion why a GIF",
    "is still a GIF, resumed how often its download went on after a break, retried",
    "how often it began anew; places are those that have a handle of the media; url",
    "with --urls only; remote where there is a bucket)",
  ],
  run,
};

/** Failed downloads leave no record, since they may be tried again. */
const NEVER_TRIED =
  "put as it is, or there was no ffmpeg, or no permission to run it";

async function run(call: Call): Promise<number> {
  expectTargets(call, 1);
  const { dir, output } = call;
  await expectUsable(dir, false, false);
  const inspector = new Inspector(dir);
  const withUrl = call.flag("urls");
  const look = await bucketLook(call.signal);
  let code: number = EXIT.ok;
  for (const { key } of await targetsOf(call, inspector)) {
    const inspection = await inspector.inspect(key);
    if (inspection.reason !== undefined) code = EXIT.failure;
    const found = await look?.(key);
    if (call.flag("json")) {
      const record = recordOf(inspection, withUrl);
      await output.json({ ...record, ...remoteRecordOf(found) });
    } else {
      const facts = factsOf(inspection, withUrl);
      for (const line of layOutFacts([...facts, ...remoteFactsOf(found)])) {
        await output.print(line);
      }
    }
  }
  return code;
}

function recordOf(
  inspection: Inspection,
  withUrl: boolean,
): Record<string, unknown> {
  const { key, reason, sidecar, size, storedAt, lastAccess, staged } =
    inspection;
  const { places, validatedAt, validators } = inspection;
  return {
    key,
    stored: reason === undefined,
    reason: reason ?? null,
    mimetype: sidecar?.mimetype ?? null,
    filename: sidecar?.filename ?? null,
    size: size ?? null,
    storedAt: storedAt ?? null,
    lastAccess: lastAccess ?? null,
    sha256: sidecar?.sha256 ?? null,
    sourceMimetype: sidecar?.sourceMimetype ?? null,
    sourceSize: sidecar?.sourceSize ?? null,
    conversion: sidecar?.conversion ?? null,
    etag: validators.etag ?? null,
    lastModified: validators.lastModified ?? null,
    validatedAt: validatedAt ?? null,
    resumed: sidecar?.resumed ?? null,
    retried: sidecar?.retried ?? null,
    places,
    ...(withUrl && { url: sidecar?.url ?? null }),
    staged,
  };
}

function factsOf(
  inspection: Inspection,
  withUrl: boolean,
): [string, string][] {
  const { key, reason, sidecar, size, lastAccess, places, validatedAt } =
    inspection;
  const facts: [string, string][] = [
    ["Key", key],
    ["Stored", reason === undefined ? "yes" : `no: ${reason}`],
  ];
  if (sidecar !== undefined) {
    const { url, filename, mimetype, ts } = sidecar;
    if (withUrl) facts.push(["URL", url]);
    facts.push(["Name", filename], ["Type", mimetype]);
    if (ts > 0) facts.push(["Stored at", formatTime(ts * 1000)]);
  }
  if (lastAccess !== undefined) {
    facts.push(["Last use", formatTime(lastAccess)]);
  }
  if (size !== undefined) facts.push(["Size", exactly(size)]);
  const { sourceMimetype, sourceSize, conversion, sha256 } = sidecar ?? {};
  const { etag, lastModified } = inspection.validators;
  if (sourceMimetype !== undefined) {
    const from = sourceSize === undefined ? "" : ` of ${exactly(sourceSize)}`;
    facts.push(["Converted", `from ${sourceMimetype}${from}`]);
  }
  if (conversion !== undefined) facts.push(["Not converted", conversion]);
  else if (sidecar?.mimetype === "image/gif") {
    facts.push(["Not converted", NEVER_TRIED]);
  }
  if (sha256 !== undefined) facts.push(["SHA-256", sha256]);
  if (etag !== undefined) facts.push(["Entity tag", etag]);
  if (lastModified !== undefined) facts.push(["Modified at", lastModified]);
  if (validatedAt !== undefined) {
    facts.push(["Confirmed at", formatTime(validatedAt)]);
  }
  const { resumed = 0, retried = 0 } = sidecar ?? {};
  if (resumed > 0) facts.push(["Resumed", times(resumed)]);
  if (retried > 0) facts.push(["Retried", times(retried)]);
  for (const place of places) facts.push(["Uploaded to", place]);
  for (const { name, size, locked } of inspection.staged) {
    const by = locked ? "is being written" : "left by a program that ended";
    facts.push(["Staged", `${name}, ${formatBytes(size)}, ${by}`]);
  }
  return facts;
}

function times(count: number): string {
  return count === 1 ? "once" : `${formatCount(count)} times`;
}

function exactly(bytes: number): string {
  return bytes < 1024
    ? formatBytes(bytes)
    : `${formatBytes(bytes)} (${formatCount(bytes)} bytes)`;
}

/** The longest look into the bucket, in milliseconds. */
const LOOK_MS = 10_000;

/** The facts of an object of the bucket, or why there are none; `stored` is null if unknown. */
type Found = RemoteEntry | {
  readonly stored: false | null;
  readonly reason: string;
};

/** The answer for a key whose object the bucket lacks. */
const LACKING: Found = { stored: false, reason: "it has no object of the key" };

/** Makes a look into the bucket of the environment; undefined without a bucket. */
async function bucketLook(
  given: AbortSignal | undefined,
): Promise<((key: string) => Promise<Found>) | undefined> {
  const tier = await findBucket();
  if (tier === undefined) return undefined;
  const signal = given ?? new AbortController().signal;
  return async (key) => {
    try {
      return await bounded(signal, LOOK_MS, async (signal): Promise<Found> => {
        const object = await tier.get(key, signal);
        await object?.body.cancel();
        return object?.entry ?? LACKING;
      });
    } catch (error) {
      return { stored: null, reason: faultOf(error) };
    } finally {
      await tier.close?.();
    }
  };
}

function remoteRecordOf(found: Found | undefined): Record<string, unknown> {
  if (found === undefined) return {};
  if ("reason" in found) return { remote: found };
  const { mimetype, filename, size, storedAt, sha256 } = found;
  const facts = { mimetype, filename, size, storedAt, sha256 };
  return { remote: { stored: true, reason: null, ...facts } };
}

function remoteFactsOf(found: Found | undefined): [string, string][] {
  if (found === undefined) return [];
  if ("reason" in found) {
    const answer = found.stored === null ? "unknown" : "no";
    return [["In the bucket", `${answer}: ${found.reason}`]];
  }
  const { mimetype, size, storedAt } = found;
  return [[
    "In the bucket",
    `${mimetype}, ${formatBytes(size)}, stored ${formatTime(storedAt)}`,
  ]];
}
