import { fromFileUrl } from "@std/path";

/** A program that runs beside the test, until it is told to end. */
export class HelperProcess {
  readonly #child: Deno.ChildProcess;
  readonly #output: ReadableStreamDefaultReader<Uint8Array>;

  /**
   * Starts a program of this folder; its errors are ignored if it breaks on
   * purpose.
   */
  constructor(
    name: string,
    args: string[],
    stderr: "inherit" | "null" = "inherit",
  ) {
    const program = fromFileUrl(import.meta.resolve(`./${name}`));
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "--quiet", "--allow-all", program, ...args],
      stdin: "piped",
      stdout: "piped",
      stderr,
      env: { NO_COLOR: "1" },
    }).spawn();
    this.#output = this.#child.stdout.getReader();
  }

  /** The first line of its output. */
  async said(): Promise<string> {
    const { value } = await this.#output.read();
    return new TextDecoder().decode(value).trim();
  }

  /** Lets it end; returns the rest of its output. */
  async end(): Promise<string> {
    await this.#child.stdin.close();
    const chunks: Uint8Array<ArrayBuffer>[] = [];
    for (;;) {
      const { value } = await this.#output.read();
      if (value === undefined) break;
      chunks.push(value as Uint8Array<ArrayBuffer>);
    }
    const { success } = await this.#child.status;
    if (!success) throw new Error("A process beside has failed");
    return await new Blob(chunks).text();
  }
}
