/** The checkout of the package that the processes of a cell import. */
import { AsyncLocalStorage } from "node:async_hooks";
import { fromFileUrl } from "@std/path";

const CURRENT = fromFileUrl(new URL("../../deno.json", import.meta.url));

const chosen = new AsyncLocalStorage<string>();

/** The `deno.json` by which processes that start now find the package. */
export function measuredPackage(): string {
  return chosen.getStore() ?? CURRENT;
}

/** Runs a task whose processes import the package by another `deno.json`. */
export function measurePackage<T>(config: string, task: () => T): T {
  return chosen.run(config, task);
}
