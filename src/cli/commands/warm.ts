import type { Call } from "../call/call.ts";
import type { Command } from "../call/command.ts";
import {
  DIR_OPTION,
  JSON_OPTION,
  PLATFORMS_OPTION,
  URLS_OPTION,
} from "../call/command_option.ts";
import { openCache } from "../call/directory.ts";
import { EXIT, Failure, UsageError } from "../call/failures.ts";
import { Interruption } from "../call/interruption.ts";
import type { DownloadInfo } from "../../core/api/download.ts";
import { Progress, type Transfer } from "../output/progress.ts";
import { readUrls } from "../call/url_list.ts";
import { type Tally, totalsOf, WarmReport } from "./warm_report.ts";
import { warm as warmCache } from "./warmer.ts";

const CONCURRENCY = 4;

/** `warm`: downloads URLs that are not stored. */
export const warm: Command = {
  name: "warm",
  operands: "FILE|URL...",
  summary: "download URLs, and those of lists, that are not stored yet",
  details: [
    "FILE (- is the standard input) is a list of URLs with white space or line ends",
    "between them. # begins a comment at the start of a line and after white space.",
    "The same holds for URL, which begins with http:// or https://. A list is text",
    "in UTF-8, or in UTF-16 with a byte order mark, as PowerShell writes it. What is",
    "stored already counts as used, and is not fetched again. Nothing is evicted",
    "unless you give a limit.",
    "",
    "On a terminal there is a progress bar for each download and one for all. A URL",
    "that fails makes the exit code 1; the others go on. After Ctrl-C only whole",
    "entries are left. URLs are shown by their keys, and by the numbers of their",
    "lines or arguments.",
  ],
  options: {
    dir: DIR_OPTION,
    concurrency: { value: "N", help: `downloads at a time (${CONCURRENCY})` },
    "max-size-mb": {
      value: "N",
      help: "evict the least recently used to stay within N",
    },
    "max-disk-mb": {
      value: "N",
      help: "likewise, for all that the folder takes on disk",
    },
    "keep-gifs": { help: "store GIFs as they are, not as MP4" },
    platforms: PLATFORMS_OPTION,
    "no-progress": { help: "no progress bars" },
    urls: URLS_OPTION,
    json: JSON_OPTION,
  },
  permissions: [
    "--allow-read=DIR,FILE --allow-write=DIR --allow-net=HOSTS",
    "and --allow-run=ffmpeg to turn GIFs into MP4",
  ],
  json: [
    "a line for each URL as it is done:",
    "{ result, list, line, operand, key, reason, mimetype, filename, size, url }",
    "(result is stored, present or failed; line is there for a URL of a list, list",
    "too if there are several arguments, operand for a URL that is an argument;",
    "reason when it failed, type, name and size when not; url with --urls only),",
    "and a last line:",
    "{ result: done or interrupted, urls, stored, present, failed, bytes }",
  ],
  run,
};

async function run(call: Call): Promise<number> {
  const { output, operands } = call;
  if (operands.length === 0) {
    throw new UsageError("a list of URLs is missing, or a URL");
  }
  const concurrency = call.count("concurrency") ?? CONCURRENCY;
  const maxSizeMb = call.number("max-size-mb") ?? Infinity;
  const maxDiskMb = call.number("max-disk-mb") ?? Infinity;
  const urls = await readUrls(operands, call.stdin);
  const { canonicalUrl } = call;
  await using opened = await openCache(call, {
    create: true,
    maxSizeMb,
    maxDiskMb,
    maxConcurrentDownloads: concurrency,
    gifToMp4: !call.flag("keep-gifs"),
    ...(canonicalUrl !== undefined && { canonicalUrl }),
  });
  const { cache } = opened;
  // Checked once here, instead of once for each URL.
  const obstacle = await cache.probe();
  if (obstacle !== undefined) {
    throw new Failure(`can't store in ${call.dir}: ${obstacle}`);
  }
  await cache.ensureLoaded();
  // From here on the folder must be closed.
  using interruption = new Interruption(call.signal);
  const { signal } = interruption;
  const tally: Tally = {
    urls: urls.length,
    stored: 0,
    present: 0,
    failed: 0,
    bytes: 0,
  };
  const hasBars = output.stderr.isTerminal() && !call.flag("no-progress");
  using progress = hasBars
    ? new Progress(
      output.stderr,
      () => totalsOf(tally),
      () => cache.inFlight().map(transferOf),
    )
    : undefined;
  const report = new WarmReport(output, tally, {
    json: call.flag("json"),
    urls: call.flag("urls"),
    progress,
  });
  // Registered first: after a second Ctrl-C the terminal must be as it was.
  signal.addEventListener("abort", () => report.endProgress(), { once: true });
  try {
    await warmCache(cache, urls, {
      canonicalUrl,
      concurrency: Math.min(concurrency, Math.max(1, urls.length)),
      signal,
      onOutcome: (outcome) => report.add(outcome),
    });
  } finally {
    report.endProgress();
  }
  await report.end(signal.aborted);
  if (signal.aborted) return interruption.exitCode;
  return tally.failed > 0 ? EXIT.failure : EXIT.ok;
}

function transferOf(info: DownloadInfo): Transfer {
  const note = info.phase === "downloading" ? undefined : info.phase;
  return { ...info, note };
}
