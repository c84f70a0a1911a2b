/** An earlier commit of the package, measured beside the present one. */
import { fromFileUrl, join, toFileUrl } from "@std/path";
import { isRival, OURS } from "./bench.ts";
import { measurePackage } from "./measured_package.ts";
import type { Cell, Row } from "./measurement.ts";
import { tryProgram } from "./program.ts";

/** A checkout of an earlier commit, which is removed when it is disposed. */
export interface Earlier extends AsyncDisposable {
  /** The name in tables. */
  readonly name: string;
  /** A `deno.json` that maps the package to the earlier commit. */
  readonly config: string;
}

const ROOT = new URL("../../", import.meta.url);

/**
 * Lays out the files of a commit.
 *
 * @throws {TypeError} If git knows no such commit.
 */
export async function checkOut(ref: string): Promise<Earlier> {
  const dir = await Deno.makeTempDir({ prefix: "media-cache-earlier-" });
  const remove = () => Deno.remove(dir, { recursive: true });
  const tar = join(dir, "commit.tar");
  const run = async (program: string, args: string[]) => {
    const said = await tryProgram(program, args);
    if (said?.success) return;
    await remove();
    throw new TypeError(
      `Cannot compare with ${ref}: ${program} says ${said?.text.trim()}`,
    );
  };
  const repository = fromFileUrl(ROOT);
  await run("git", ["-C", repository, "archive", "--output", tar, ref, "--"]);
  await run("tar", ["-xf", tar, "-C", dir]);
  const config = join(dir, "deno.json");
  await Deno.writeTextFile(config, JSON.stringify(await configOf(dir)));
  return {
    name: `${OURS} at ${ref}`,
    config,
    [Symbol.asyncDispose]: remove,
  };
}

/**
 * The earlier imports, those that the present benchmark needs, and the earlier
 * exports.
 */
async function configOf(dir: string): Promise<unknown> {
  const read = async (url: URL) => JSON.parse(await Deno.readTextFile(url));
  const base = toFileUrl(`${dir}/`);
  const earlier = await read(new URL("deno.json", base));
  const present = await read(new URL("deno.json", ROOT));
  const exports = Object.entries<string>(earlier.exports).map((
    [path, file],
  ) => [path.replace(/^\./, present.name), new URL(file, base).href]);
  return {
    lock: false,
    imports: {
      ...present.imports,
      ...earlier.imports,
      ...Object.fromEntries(exports),
    },
  };
}

/**
 * The same row for the present and an earlier commit, without rivals and
 * targets.
 */
export function compared(row: Row, { name, config }: Earlier): Row {
  const cells = row.cells.filter(({ contender }) => !isRival(contender))
    .flatMap((cell): Cell[] => {
      const contender = cell.contender.includes(OURS)
        ? cell.contender.replace(OURS, name)
        : `${cell.contender}, ${name}`;
      const run = (dir: string) => measurePackage(config, () => cell.run(dir));
      return [cell, { ...cell, contender, run }];
    });
  return { ...row, cells, targets: [] };
}
