/**
 * What a log may tell of an error that is not ours: its name, unless that is none
 * but a text, which may hold a URL or an end of line as the message may.
 */
export function errorName(error: unknown): string {
  if (!(error instanceof Error)) return typeof error;
  const name: unknown = error.name;
  return typeof name === "string" && /^\w{1,64}$/.test(name) ? name : "Error";
}
