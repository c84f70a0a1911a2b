import { styleText } from "node:util";
import { printable, printableJson } from "./printable.ts";

/** An output of the tool, such as `Deno.stdout` and `Deno.stderr`. */
export interface CliOutput {
  /** Writes some of the bytes, and resolves to their number. */
  write(bytes: Uint8Array): Promise<number>;
  /** Writes some of the bytes, and returns their number. */
  writeSync(bytes: Uint8Array): number;
  /** Tells whether the output is a terminal. */
  isTerminal(): boolean;
}

/** Styles of a line on a terminal. */
export type Style = "bold" | "red" | "green" | "dim";

const encoder = new TextEncoder();

/**
 * Writes lines, JSON and bytes. All text is made printable here, and styled
 * afterwards.
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

  /** Whether results go to a terminal. */
  get isTerminal(): boolean {
    return this.#stdout.isTerminal();
  }

  /** Output of complaints and progress. */
  get stderr(): CliOutput {
    return this.#stderr;
  }

  /** Prints one line. */
  async print(text: string, style?: Style): Promise<void> {
    const line = this.#styled(printable(text), style, this.#stdout);
    await this.bytes(encoder.encode(`${line}\n`));
  }

  /** Prints trusted lines as they are. */
  async text(text: string): Promise<void> {
    await this.bytes(encoder.encode(`${text}\n`));
  }

  /** Prints lines together, the first line bold. */
  async table(lines: readonly string[]): Promise<void> {
    const [head = "", ...rows] = lines.map((line) => printable(line));
    const bold = this.#styled(head, "bold", this.#stdout);
    await this.bytes(encoder.encode([bold, ...rows, ""].join("\n")));
  }

  /** Prints a JSON document; on one line, where more documents follow. */
  async json(
    value: unknown,
    form: "document" | "line" = "document",
  ): Promise<void> {
    const text = printableJson(value, form === "document" ? 2 : undefined);
    await this.bytes(encoder.encode(`${text}\n`));
  }

  /** Writes all bytes as they are. */
  async bytes(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      done += await this.#stdout.write(bytes.subarray(done));
    }
  }

  /** Prints a complaint, apart from the results. */
  complain(text: string): void {
    const plain = printable(`media-cache: ${text}`);
    const line = this.#styled(plain, "red", this.#stderr);
    if (this.#onComplaint !== undefined) this.#onComplaint(line);
    else this.note(line);
  }

  /**
   * Sends complaints to a function that draws on the terminal; undefined ends
   * that.
   */
  divert(onComplaint: ((line: string) => void) | undefined): void {
    this.#onComplaint = onComplaint;
  }

  /** Prints a trusted line, apart from the results. */
  note(line: string): void {
    const bytes = encoder.encode(`${line}\n`);
    try {
      for (let done = 0; done < bytes.length;) {
        done += this.#stderr.writeSync(bytes.subarray(done));
      }
    } catch {
      // The reader of complaints has gone; the exit code still tells.
    }
  }

  #styled(text: string, style: Style | undefined, to: CliOutput): string {
    if (style === undefined || !this.#color || !to.isTerminal()) return text;
    // Without this, Deno asks for permission to read the environment.
    return styleText(style, text, { validateStream: false });
  }
}
