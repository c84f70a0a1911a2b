// deno-lint-ignore-file no-console -- this is where the demo speaks
// @ts-types="@types/cli-progress"
import { Format, Presets, SingleBar } from "cli-progress";
import process from "node:process";
import { styleText } from "node:util";

/** Colours go where there is a terminal that wants them. */
const paint = (style: "bold" | "red" | "green", text: string) =>
  styleText(style, text, { stream: process.stdout });

/** Prints a line. */
export function line(text: string): void {
  console.log(text);
}

/** Prints the head of a scene. */
export function heading(text: string): void {
  line(`\n${paint("bold", text)}`);
}

/** Prints one line of what went wrong. */
export function failure(text: string): void {
  line(paint("red", `  ${text.replace(/\s+/g, " ")}`));
}

/** Prints a file, its size, and what became of it. */
export function row(name: string, bytes: number, result: string): void {
  line(`  ${column(name)} ${size(bytes).padStart(9)}  ${result}`);
}

/** Makes words stand out. */
export function accent(text: string): string {
  return paint("green", text);
}

/** Bytes as people read them. */
export function size(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  if (bytes < 1_048_576) return `${(bytes / 1024).toFixed(1)} KiB`;
  return `${(bytes / 1_048_576).toFixed(1)} MiB`;
}

/** A time as people read it. */
export function time(ms: number): string {
  if (ms < 1) return `${(ms * 1000).toFixed(0)} µs`;
  if (ms < 1000) return `${ms.toFixed(ms < 10 ? 1 : 0)} ms`;
  return `${(ms / 1000).toFixed(1)} s`;
}

/** A progress bar that goes when it ends; where there is no terminal, nothing. */
export interface Progress {
  /** Shows how far it is. */
  update(progress: { received: number; total: number | undefined }): void;
  /** Clears the line. */
  end(): void;
}

/** Starts a progress bar. */
export function startProgress(name: string): Progress {
  const bar = new SingleBar({
    format: (options, { progress, total, value }) =>
      `  ${column(name)} ${size(value).padStart(9)}  ${
        // A server that tells no length gets no bar.
        total > value || progress === 1
          ? Format.BarFormat(progress, options)
          : ""}`,
    barsize: Math.max(10, Math.min(60, columns() - NAME_WIDTH - 16)),
    clearOnComplete: true,
    hideCursor: true,
    stream: process.stdout,
  }, Presets.shades_classic);
  bar.start(1, 0);
  return {
    update({ received, total }) {
      bar.setTotal(total ?? received);
      bar.update(received);
    },
    end: () => bar.stop(),
  };
}

const NAME_WIDTH = 16;

function column(name: string): string {
  const characters = [...name];
  const isLong = characters.length > NAME_WIDTH;
  const shown = isLong
    ? `${characters.slice(0, NAME_WIDTH - 1).join("")}…`
    : name;
  return shown.padEnd(NAME_WIDTH);
}

function columns(): number {
  return process.stdout.columns ?? 80;
}
