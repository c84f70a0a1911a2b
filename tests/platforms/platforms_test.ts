import { assertEquals, assertThrows } from "@std/assert";
import {
  discord,
  type PlatformRule,
  platforms,
  tenor,
} from "../../src/platforms/platforms.ts";

const SIGNED =
  "https://cdn.discordapp.com/attachments/1/2/a.png?ex=1&is=2&hm=3";
const AVATAR = "https://avatars.example.org/7?t=5";

const avatars: PlatformRule = (url) =>
  url.hostname === "avatars.example.org"
    ? url.origin + url.pathname
    : undefined;

Deno.test("platforms() has all rules, platforms(…) those that are given", () => {
  assertEquals(platforms()(SIGNED), SIGNED.split("?")[0]);
  assertEquals(platforms(discord, avatars)(SIGNED), SIGNED.split("?")[0]);
  assertEquals(platforms(discord, avatars)(AVATAR), AVATAR.split("?")[0]);
  assertEquals(platforms(tenor)(SIGNED), SIGNED);
  assertEquals(platforms()(AVATAR), AVATAR);
});

Deno.test("the first rule that gives a result decides", () => {
  const keeps: PlatformRule = (url) =>
    url.hostname === "cdn.discordapp.com" ? url.href : undefined;
  assertEquals(platforms(keeps, discord)(SIGNED), SIGNED);
  assertEquals(platforms(discord, keeps)(SIGNED), SIGNED.split("?")[0]);
});

Deno.test("a result goes through the rules again, so that it stays", () => {
  const bot = "https://bots.example/file/bot1:s/a.png";
  const set = "Expires=1&Signature=2&Key-Pair-Id=3";
  const canonical = platforms()(`${bot}?${set}`);
  assertEquals(canonical, "https://bots.example/file/bot1/a.png");
  assertEquals(platforms()(canonical), canonical);
});

Deno.test("a rule may give a name that is no URL, and rules that never settle end", () => {
  const named: PlatformRule = () => "media 7";
  assertEquals(platforms(named)(AVATAR), "media 7");
  const longer: PlatformRule = (url) => `${url.href}x`;
  assertEquals(
    platforms(longer)("https://a.example/").startsWith("https://"),
    true,
  );
});

Deno.test("platforms(…) throws for what is no function", () => {
  for (const rule of [undefined, null, "discord", {}]) {
    assertThrows(() => platforms(rule as unknown as PlatformRule), TypeError);
  }
});
