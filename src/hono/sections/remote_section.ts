import { html } from "hono/html";
import { formatBytes, formatCount } from "../../core/text/quantities.ts";
import type { RemoteStats } from "../../core/api/remote_tier.ts";
import type { DashboardView } from "./dashboard_view.ts";
import type { Markup } from "./markup.ts";
import { tile } from "./overview_section.ts";

const LEASES: Readonly<Record<RemoteStats["lease"], string>> = {
  off: "each host downloads for itself",
  unproven: "leases are not tried yet",
  refused: "its leases don't hold: each host downloads for itself",
  paused: "its leases fail: for a minute each host downloads for itself",
  on: "one host downloads for all, by lease",
};

/** Returns the section with the remote tier; nothing where there is none. */
export function remoteSection({ stats, top }: DashboardView): Markup | "" {
  const { remote } = stats;
  if (remote === undefined) return "";
  const isDown = remote.state === "down";
  const lookups = remote.hits + remote.misses;
  return html`<section id="remote" data-live aria-labelledby="remote-heading">
  <h2 id="remote-heading">Shared with other hosts</h2>
  ${
    isDown
      ? html`
        <p class="alert"
          role="alert"><strong>The bucket is left alone:</strong> its calls have failed, so that all is downloaded. It is tried again by itself.</p>
      `
      : ""
  }
  <dl class="tiles">
  ${
    tile(
      "Bucket",
      isDown ? "down" : "up",
      `${top === undefined ? "" : `${remote.name}; `}${LEASES[remote.lease]}`,
      isDown,
    )
  }
  ${
    tile(
      "Misses that it answered",
      lookups === 0 ? "–" : `${(remote.hits / lookups * 100).toFixed(1)} %`,
      lookups === 0
        ? "not asked yet"
        : `${formatCount(remote.hits)} of ${formatCount(lookups)}, ${
          formatBytes(remote.bytesReceived)
        } received`,
    )
  }
  ${
    tile(
      "Uploaded",
      formatCount(remote.uploads),
      `${formatBytes(remote.bytesSent)}; ${
        formatCount(remote.uploadsQueued)
      } queued, ${formatCount(remote.uploadsSkipped)} skipped`,
    )
  }
  ${
    tile(
      "Calls failed",
      formatCount(remote.errors),
      `${formatCount(remote.timeouts)} took too long; ${
        formatCount(remote.skipped)
      } lookups not made`,
      remote.errors > 0,
    )
  }
  ${
    tile(
      "Broken objects",
      formatCount(remote.corrupt + remote.continued),
      `${formatCount(remote.corrupt)} with wrong bytes, ${
        formatCount(remote.continued)
      } completed by the origin`,
      remote.corrupt > 0,
    )
  }
  ${
    tile(
      "Done by other hosts",
      formatCount(remote.leasesAwaited + remote.changesApplied),
      `${formatCount(remote.leasesAwaited)} downloads, ${
        formatCount(remote.changesApplied)
      } deletions and replacements`,
    )
  }
  </dl>
</section>`;
}
