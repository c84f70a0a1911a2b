/** Milliseconds of a day. */
export const DAY_MS = 86_400_000;

/** A bot on several hosts, and the media that its chats ask for. */
export interface Scenario {
  /** Number of hosts. */
  readonly hosts: number;
  /** The option `maxSizeMb` of each host, in Mb. */
  readonly maxSizeMb: number;
  /** Requests of a host in a day, beside broadcasts. */
  readonly requestsPerDay: number;
  /** Share of the requests for media that all hosts want alike. */
  readonly sharedShare: number;
  /** Media that all hosts want alike, at a time. */
  readonly sharedMedia: number;
  /** Media that a host alone wants, at a time. */
  readonly ownMedia: number;
  /** Exponent of Zipf's law: rank r is wanted as often as 1 / r ** exponent. */
  readonly exponent: number;
  /** Mean days until another medium takes the rank of a medium. */
  readonly lifeDays: number;
  /** New media in a day that every host wants within `broadcastMs`. */
  readonly broadcastsPerDay: number;
  /** Time within which all hosts want a broadcast medium, in milliseconds. */
  readonly broadcastMs: number;
  /** Days that are not counted: caches and bucket fill. */
  readonly warmUpDays: number;
  /** Days that are counted. */
  readonly days: number;
  /** Start of the random numbers. */
  readonly seed: number;
}

/**
 * The scenario of the figures in `src/s3/README.md`.
 *
 * Zipf with 0.6 to 0.8 is what web proxies have seen (Breslau et al., "Web Caching and
 * Zipf-like Distributions", 1999). That media age is from Huang et al., "An Analysis of
 * Facebook Photo Caching", 2013. All other numbers are assumptions.
 */
export const BASELINE: Scenario = {
  ...{ hosts: 10, maxSizeMb: 2500, requestsPerDay: 5_000 },
  ...{ sharedShare: 0.5, sharedMedia: 50_000, ownMedia: 5_000 },
  ...{ exponent: 0.8, lifeDays: 30 },
  ...{ broadcastsPerDay: 50, broadcastMs: 10_000 },
  ...{ warmUpDays: 30, days: 30, seed: 1 },
};

/** The largest body, in bytes: what the Bot API of Telegram lets a bot send. */
const MAX_BYTES = 50e6;

/** Half of all bodies are smaller; an assumption. */
const MEDIAN_BYTES = 200e3;

/**
 * Spread of the logarithm of the sizes: a fifth of the media takes four fifths of the
 * bytes, as of 400 images in http://philriesch.com/labnotes_internetfilesize.html.
 */
const SIGMA = 1.683;

/** A random size of a body in bytes, by a log-normal distribution. */
export function randomBytes(fraction: () => number): number {
  const normal = Math.sqrt(-2 * Math.log(1 - fraction())) *
    Math.cos(2 * Math.PI * fraction());
  return Math.min(MAX_BYTES, MEDIAN_BYTES * Math.exp(SIGMA * normal));
}
