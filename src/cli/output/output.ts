import { styleText } from "node:util";
import { printable, printableJson } from "./printable.ts";

/** Where the tool writes; `Deno.stdout` and `Deno.stderr` are such. */
export interface CliOutput {
  /** Writes some of the bytes; resolves to how many. */
  write(bytes: Uint8Array): Promise<number>;
  /** Writes some of the bytes, and returns how many. */
  writeSync(bytes: Uint8Array): number;
  /** Whether a person sees it as it is written. */
  isTerminal(): boolean;
}

/** How a line may look on a terminal. */
export type Style = "bold" | "red" | "green" | "dim";

const encoder = new TextEncoder();

/**
 * Writes lines, JSON and bytes. Text is made printable here, at the one place
 * that all of it passes, and styled afterwards.
 */
export class Output {
  readonly #stdout: CliOutput;
  readonly #stderr: CliOutput;
  readonly #color: boolean;
  #onComplaint: ((line: string) => void) | undefined;

  /** Styles lines on terminals if `color` is set. */
  constructor(stdout: CliOutput, stderr: CliOutput, color: boolean) {
    this.#stdout = stdout;
    this.#stderr = stderr;
    this.#color = color;
  }

  /** Whether results are seen as they are written. */
  get isTerminal(): boolean {
    return this.#stdout.isTerminal();
  }

  /** Where complaints and progress go. */
  get stderr(): CliOutput {
    return this.#stderr;
  }

  /** Prints one line. */
  async print(text: string, style?: Style): Promise<void> {
    const line = this.#styled(printable(text), style, this.#stdout);
    await this.bytes(encoder.encode(`${line}\n`));
  }

  /** Prints lines of our own, as they are. */
  async text(text: string): Promise<void> {
    await this.bytes(encoder.encode(`${text}\n`));
  }

  /** Prints lines at once, the first one bold. */
  async table(lines: readonly string[]): Promise<void> {
    const [head = "", ...rows] = lines.map((line) => printable(line));
    const bold = this.#styled(head, "bold", this.#stdout);
    await this.bytes(encoder.encode([bold, ...rows, ""].join("\n")));
  }

  /** Prints a document of JSON; on one line, if there are others to come. */
  async json(
    value: unknown,
    form: "document" | "line" = "document",
  ): Promise<void> {
    const text = printableJson(value, form === "document" ? 2 : undefined);
    await this.bytes(encoder.encode(`${text}\n`));
  }

  /** Writes bytes as they are, all of them. */
  async bytes(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      done += await this.#stdout.write(bytes.subarray(done));
    }
  }

  /** Tells what is wrong, beside the results. */
  complain(text: string): void {
    const plain = printable(`media-cache: ${text}`);
    const line = this.#styled(plain, "red", this.#stderr);
    if (this.#onComplaint !== undefined) this.#onComplaint(line);
    else this.note(line);
  }

  /** Hands complaints to what is drawing on the terminal; undefined ends that. */
  divert(onComplaint: ((line: string) => void) | undefined): void {
    this.#onComplaint = onComplaint;
  }

  /** Writes a line of our own beside the results. */
  note(line: string): void {
    const bytes = encoder.encode(`${line}\n`);
    try {
      for (let done = 0; done < bytes.length;) {
        done += this.#stderr.writeSync(bytes.subarray(done));
      }
    } catch {
      // Nobody listens to complaints any more; the exit code still tells.
    }
  }

  #styled(text: string, style: Style | undefined, to: CliOutput): string {
    if (style === undefined || !this.#color || !to.isTerminal()) return text;
    // Deno's own check asks for permission to read the environment.
    return styleText(style, text, { validateStream: false });
  }
}
