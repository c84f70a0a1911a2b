/**
 * Writes a small JSR registry as files, for machines that cannot reach jsr.io.
 *
 *     deno run -A --no-config .denow/registry.ts probe
 *     deno run -A --no-config .denow/registry.ts std NODE_MODULES/deno-std REGISTRY
 *
 * `probe` exits with 0 when jsr.io answers. `std` publishes the six `@std`
 * packages that we use: their JavaScript from npm's `deno-std`, their types
 * from our own short declarations in `.denow/std`. `publish` (below) lays out
 * a package of TypeScript, ours, as JSR would.
 *
 * It imports nothing but Node's built-ins, because it makes the rest reachable.
 */
import { createHash } from "node:crypto";
import {
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";

/** Answers any range `^1…` that deno.json may ask for. */
const STD_VERSION = "1.99.0";
const STD_PACKAGES = [
  "assert",
  "crypto",
  "fs",
  "internal",
  "media-types",
  "path",
];
const OURS = join(import.meta.dirname!, "std");

/** One version of a package: its files by path (`/mod.js`), and its exports. */
export interface Package {
  scope: string;
  name: string;
  version: string;
  exports: Record<string, string>;
  files: Map<string, string>;
}

/** Writes a package into the registry, in the layout that Deno asks jsr.io for. */
export async function publish(
  registry: string,
  { scope, name, version, exports, files }: Package,
): Promise<void> {
  const folder = join(registry, `@${scope}`, name);
  const manifest: Record<string, { size: number; checksum: string }> = {};
  for (const [path, text] of files) {
    const bytes = new TextEncoder().encode(text);
    const checksum = createHash("sha256").update(bytes).digest("hex");
    manifest[path] = { size: bytes.length, checksum: `sha256-${checksum}` };
    await mkdir(dirname(join(folder, version, path)), { recursive: true });
    await writeFile(join(folder, version, path), bytes);
  }
  const versions = { [version]: {} };
  await writeFile(
    join(folder, "meta.json"),
    JSON.stringify({ scope, name, latest: version, versions }),
  );
  await writeFile(
    join(folder, `${version}_meta.json`),
    JSON.stringify({ manifest, exports, moduleGraph2: {} }),
  );
}

/** The file:// address under which Deno finds a registry: the value of JSR_URL. */
export function registryUrl(registry: string): string {
  return pathToFileURL(registry).href + "/";
}

/**
 * The same for a registry inside the project's folder, with the last letter of
 * the project's own address as a %-escape. `deno publish` reports every file
 * whose address begins like the project's as one that the package left out.
 */
function registryUrlInProject(registry: string): string {
  const project = pathToFileURL(dirname(import.meta.dirname!)).href;
  const escaped = project.replace(
    /(?<!%|%.)[a-z\d](?=(?:%..|[^a-z\d])*$)/i,
    (letter) => "%" + letter.charCodeAt(0).toString(16),
  );
  return escaped + registryUrl(registry).slice(project.length);
}

async function publishStd(denoStd: string, registry: string): Promise<void> {
  for (const name of STD_PACKAGES) {
    const files = new Map<string, string>();
    const exports: Record<string, string> = {};
    const folder = join(denoStd, name.replaceAll("-", "_"));
    for (const path of await scripts(folder)) {
      files.set(path, await stdScript(folder, path));
      const subpath = path.slice(0, -3).replaceAll("_", "-");
      if (subpath === "/mod") exports["."] = "./mod.js";
      else if (!/\/_|^\/vendor\//.test(path)) {
        exports[`.${subpath}`] = `.${path}`;
      }
    }
    if (name === "crypto") {
      const wasm = await readFile(join(OURS, "wasm_crypto.js"), "utf8");
      files.set("/_wasm/lib/deno_std_wasm_crypto.mjs", wasm);
    }
    if (name !== "internal") {
      declareTypes(
        files,
        await readFile(join(OURS, `${name}.d.ts`), "utf8"),
      );
    }
    await publish(registry, {
      scope: "std",
      name,
      version: STD_VERSION,
      exports,
      files,
    });
  }
}

/** The package's modules: `/join.js`, `/posix/join.js`, …; no tests, no tools. */
async function scripts(folder: string): Promise<string[]> {
  const paths = await readdir(folder, { recursive: true });
  return paths.map((path) => "/" + path.replaceAll("\\", "/"))
    .filter((path) =>
      /\.m?js$/.test(path) &&
      !/test\.js$|_benches|\/vendor\/update\.js$/.test(path)
    )
    .sort();
}

/** One module of std, its imports from other packages made `jsr:` imports. */
async function stdScript(folder: string, path: string): Promise<string> {
  const text = await readFile(join(folder, path), "utf8");
  if (path === "/timing_safe_equal.js") {
    // @std/crypto 1.1 throws where 1.0 returned false; code that passes with
    // the stricter one is right with both.
    return text.replace(
      "return false;",
      'throw new TypeError("lengths differ");',
    );
  }
  const packages = STD_PACKAGES.join("|");
  return text.replace(
    new RegExp(`from "(?:\\.\\./)+(${packages})/(\\w+(?:/\\w+)*)\\.js"`, "g"),
    (_, name, module) => {
      const subpath = module === "mod" ? "" : `/${module.replaceAll("_", "-")}`;
      return `from "jsr:@std/${name}@^1${subpath}"`;
    },
  );
}

/**
 * Gives each module that exports a declared name its types. A submodule gets
 * of the declared values only those that it has; of the types, all.
 */
function declareTypes(files: Map<string, string>, declarations: string): void {
  const declared = declarations.matchAll(
    /^export (?:function|const|class) (\w+)/gm,
  );
  const names = [...new Set([...declared].map((match) => match[1]!))];
  files.set("/mod.d.ts", declarations);
  for (const [path, text] of [...files]) {
    if (!/^\/\w+\.js$/.test(path) || path.startsWith("/_")) continue;
    const has = names.filter((name) =>
      new RegExp(
        `^export (?:async )?(?:function\\*?|const|class) ${name}\\b|^export \\{ \\w+ as ${name} \\}`,
        "m",
      ).test(text)
    );
    const types = path.replace(/js$/, "d.ts");
    if (path !== "/mod.js") {
      if (has.length === 0) continue;
      files.set(
        types,
        `export type * from "./mod.d.ts";\n` +
          `export { ${has.join(", ")} } from "./mod.d.ts";\n`,
      );
    }
    files.set(path, `// @ts-self-types=".${types}"\n${text}`);
  }
}

async function jsrAnswers(): Promise<boolean> {
  try {
    const response = await fetch("https://jsr.io/@std/path/meta.json", {
      signal: AbortSignal.timeout(2000),
    });
    return response.ok && (await response.json()).scope === "std";
  } catch {
    return false;
  }
}

if (import.meta.main) {
  const [mode, ...paths] = process.argv.slice(2);
  if (mode === "probe") process.exit(await jsrAnswers() ? 0 : 1);
  if (mode !== "std" || paths.length !== 2) {
    throw new Error("usage: registry.ts probe | std DENO_STD REGISTRY");
  }
  const [denoStd, registry] = paths as [string, string];
  // Whole or not at all, also when two builds of it run at once.
  const staged = join(dirname(registry), `tmp.${process.pid}.registry`);
  await publishStd(denoStd, staged);
  await writeFile(join(staged, "url"), registryUrlInProject(registry) + "\n");
  await rename(staged, registry).catch(() => rm(staged, { recursive: true }));
}
