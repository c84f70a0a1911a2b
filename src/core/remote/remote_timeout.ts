/** A remote tier that has not answered, or sent no byte, for too long. Its message holds no secret. */
export class RemoteTimeout extends Error {
  /**
   * @param missing What has not come: "answer", "byte" or "end".
   * @param limitMs The limit, in milliseconds.
   */
  constructor(missing: "answer" | "byte" | "end", limitMs: number) {
    super(`no ${missing} within ${limitMs} ms`);
    this.name = "RemoteTimeout";
  }
}
