/** Which addresses are of the public internet: each range, and random ones in all spellings. */
import { assert, assertEquals } from "@std/assert";
import ipaddr from "ipaddr.js";
import { isPublicAddress } from "../../src/guard/public_address.ts";
import {
  LOOPBACK_HOSTS,
  NO_ADDRESSES,
  PRIVATE_HOSTS,
  PUBLIC_ADDRESSES,
} from "../fixtures/guard/spellings.ts";
import { Random } from "../fixtures/inputs/random.ts";

const ROUNDS = 1_000;

/** The host as `URL` writes it, without brackets. */
function hostOf(text: string): string {
  return new URL(`http://${text}/`).hostname.replace(/^\[(.*)\]$/, "$1");
}

for (const [range, hosts] of Object.entries(PRIVATE_HOSTS)) {
  Deno.test(`no address is public of the range: ${range}`, () => {
    const wrong = hosts.filter((host) => isPublicAddress(hostOf(host)));
    assertEquals(wrong, []);
  });
}

Deno.test("no spelling of loopback is public", () => {
  const wrong = LOOPBACK_HOSTS.filter((host) => isPublicAddress(hostOf(host)));
  assertEquals(wrong, []);
});

Deno.test("addresses beside the private ranges are public, also in IPv6", () => {
  const wrong = PUBLIC_ADDRESSES.filter((each) => !isPublicAddress(each));
  assertEquals(wrong, []);
});

Deno.test("a text that is no address, and an address with a zone, is not public", () => {
  assertEquals(NO_ADDRESSES.filter(isPublicAddress), []);
});

Deno.test("the first and the last address of each IPv4 range of ipaddr.js are not public", () => {
  // The types of the package lack the list.
  const lists = Reflect.get(ipaddr.IPv4.prototype, "SpecialRanges") as Record<
    string,
    [start: ipaddr.IPv4, bits: number][]
  >;
  const ranges = Object.values(lists).flat();
  assert(ranges.length > 10, `${ranges.length} ranges`);
  const wrong = ranges.flatMap(([start, bits]) => {
    const first = start.octets.reduce((sum, octet) => sum * 256 + octet, 0);
    const last = first + 2 ** (32 - bits) - 1;
    return [first, last].map((each) => hostOf(`${each}`));
  }).filter((each) => isPublicAddress(each));
  assertEquals(wrong, []);
});

/** Spellings of an IPv4 address that `URL` takes. */
function* ipv4Spellings(random: Random, octets: number[]): Generator<string> {
  const [a = 0, b = 0, c = 0, d = 0] = octets;
  const number = (value: number) =>
    random.pick([
      () => `${value}`,
      () => `0x${value.toString(16)}`,
      () => `0X${value.toString(16).toUpperCase()}`,
      () => `0${value.toString(8)}`,
      () => `000${value.toString(8)}`,
    ])();
  const parts = [
    [a, b, c, d],
    [a, b, c * 256 + d],
    [a, (b * 256 + c) * 256 + d],
    [((a * 256 + b) * 256 + c) * 256 + d],
  ];
  for (const each of parts) {
    const text = each.map(number).join(".");
    yield text;
    yield `${text}.`;
    yield text.replaceAll(".", random.pick(["。", "．", "｡", "%2E", "%2e"]));
    yield text.replace(/\d/g, (digit) =>
      random.pick([
        digit,
        `%3${digit}`,
        String.fromCodePoint(0xff10 + Number(digit)),
      ]));
  }
}

/** Spellings of an IPv6 address that `URL` takes, in brackets. */
function* ipv6Spellings(random: Random, parts: number[]): Generator<string> {
  const hex = parts.map((part) =>
    random.pick([
      part.toString(16),
      part.toString(16).padStart(4, "0"),
      part.toString(16).toUpperCase(),
    ])
  );
  yield `[${hex.join(":")}]`;
  yield `[${new ipaddr.IPv6(parts).toRFC5952String()}]`;
  const [high = 0, low = 0] = parts.slice(6);
  const dotted = [high >> 8, high & 255, low >> 8, low & 255].join(".");
  yield `[${hex.slice(0, 6).join(":")}:${dotted}]`;
}

/** An IPv4 address, in half of the cases near the border of a range. */
function randomOctets(random: Random): number[] {
  const octets = Array.from({ length: 4 }, () => random.integer(0, 255));
  if (random.chance(2)) return octets;
  const hosts = Object.values(PRIVATE_HOSTS).flat()
    .map(hostOf).filter((host) => ipaddr.IPv4.isValid(host));
  const near = ipaddr.IPv4.parse(random.pick(hosts)).octets;
  const at = random.integer(0, 3);
  return near.map((octet, i) =>
    i === at
      ? (octet + random.pick([-1, 0, 1]) + 256) % 256
      : i > at
      ? random.pick([0, 255, octets[i] ?? 0])
      : octet
  );
}

Deno.test("random IPv4 addresses in all spellings are public if ipaddr.js says unicast, alone and in IPv6", () => {
  const random = new Random();
  let publics = 0;
  for (let i = 0; i < ROUNDS; i++) {
    const octets = randomOctets(random);
    const address = new ipaddr.IPv4(octets);
    const wanted = address.range() === "unicast" &&
      address.toString() !== "168.63.129.16";
    if (wanted) publics++;
    for (const text of ipv4Spellings(random, octets)) {
      const host = hostOf(text);
      assertEquals(host, address.toString(), `${text}, ${random.hint}`);
      assertEquals(isPublicAddress(host), wanted, `${text}, ${random.hint}`);
    }
    const [a = 0, b = 0, c = 0, d = 0] = octets;
    const halves = [a * 256 + b, c * 256 + d];
    const carriers = [
      [0, 0, 0, 0, 0, 0xffff, ...halves],
      [0x64, 0xff9b, 0, 0, 0, 0, ...halves],
      [0x2002, ...halves, ...Array.from({ length: 5 }, () => i)],
      [0x2606, 0x4700, 1, 2, 0, 0x5efe, ...halves],
      [0x2606, 0x4700, 1, 2, 0x200, 0x5efe, ...halves],
    ];
    for (const parts of carriers) {
      for (const text of ipv6Spellings(random, parts)) {
        assertEquals(
          isPublicAddress(hostOf(text)),
          wanted,
          `${text}, ${random.hint}`,
        );
      }
    }
    // Old forms that stand for an IPv4 address are never public.
    for (
      const parts of [
        [0, 0, 0, 0, 0, 0, ...halves],
        [0, 0, 0, 0, 0xffff, 0, ...halves],
        [0x64, 0xff9b, 1, 0, 0, 0, ...halves],
        [0x2001, 0, ...halves, 0, 0, ...halves],
      ]
    ) {
      for (const text of ipv6Spellings(random, parts)) {
        assert(!isPublicAddress(hostOf(text)), `${text}, ${random.hint}`);
      }
    }
  }
  assert(publics > ROUNDS / 10, `${publics} were public`);
});

Deno.test("random IPv6 addresses are public if they are global and ipaddr.js says unicast", () => {
  const random = new Random();
  let publics = 0;
  for (let i = 0; i < ROUNDS; i++) {
    const parts = Array.from({ length: 8 }, () => random.integer(0, 0xffff));
    if (random.chance(2)) {
      parts[0] = random.pick([
        ...[0x2000, 0x2001, 0x2002, 0x2620, 0x3fff, 0x3ffe, 0x5f00, 0x1fff],
        ...[0x4000, 0xfbff, 0xfc00, 0xfdff, 0xfe00, 0xfe80, 0xfebf, 0xfec0],
        ...[0xfeff, 0xff00, 0x100, 0x64, 0],
      ]);
      parts[1] = random.pick([parts[1] ?? 0, 0, 1, 2, 0xdb8, 0x4f, 0xff9b]);
    }
    const address = new ipaddr.IPv6([...parts]);
    // Those that stand for an IPv4 address have a test of their own.
    if (["ipv4Mapped", "rfc6052", "6to4"].includes(address.range())) continue;
    const first = parts[0] ?? 0;
    const wanted = first >= 0x2000 && first <= 0x3fff &&
      address.range() === "unicast";
    if (wanted) publics++;
    for (const text of ipv6Spellings(random, parts)) {
      assertEquals(
        isPublicAddress(hostOf(text)),
        wanted,
        `${text}, ${random.hint}`,
      );
    }
  }
  assert(publics > ROUNDS / 20, `${publics} were public`);
});
