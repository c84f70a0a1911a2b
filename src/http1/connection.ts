/** The most bytes of one read. */
const READ_BYTES = 65_536;

const LINE_FEED = 10;

/** Arguments of one call of `String.fromCharCode()`, far below any limit of the stack. */
const DECODED_AT_A_TIME = 4_096;

/** The other side has closed the connection, or sent what is no HTTP. */
export class ProtocolError extends Error {
  /** The code of system errors for it, if there is one. */
  readonly code: string | undefined;

  /**
   * Creates the error.
   *
   * @param message What was received.
   * @param code The code of system errors for it, if there is one.
   */
  constructor(message: string, code?: string) {
    super(message);
    this.code = code;
    this.name = "ProtocolError";
  }
}

/** The part of a `Deno.Conn` that is used. */
export type ByteConnection = Pick<Deno.Conn, "read" | "write" | "close">;

/** An open connection, read by bytes and lines. */
export class Connection {
  /** Whether anything was received. */
  hasReceived = false;
  readonly #conn: ByteConnection;
  readonly #room = new Uint8Array(READ_BYTES);
  /** Bytes that were received and given back. */
  #waiting: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #isClosed = false;

  /** Takes an open connection. */
  constructor(conn: ByteConnection) {
    this.#conn = conn;
  }

  /** Whether bytes are here that nobody has asked for. */
  get isAhead(): boolean {
    return this.#waiting.length > 0;
  }

  /** Returns bytes that were received, or undefined at the end. */
  async receive(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const waiting = this.#waiting;
    if (waiting.length > 0) {
      this.#waiting = waiting.subarray(waiting.length);
      return waiting;
    }
    const length = await this.#conn.read(this.#room);
    if (length === null) return undefined;
    this.hasReceived = true;
    return this.#room.slice(0, length);
  }

  /** Gives bytes back that {@linkcode receive} has returned. */
  giveBack(bytes: Uint8Array<ArrayBuffer>): void {
    this.#waiting = bytes;
  }

  /**
   * Returns a line without its end, a character for each byte.
   *
   * @throws {ProtocolError} If it has more bytes, with its end, or the connection ends.
   */
  async receiveLine(maxBytes: number): Promise<string> {
    let line = "";
    for (;;) {
      const bytes = await this.receive();
      if (bytes === undefined) {
        throw new ProtocolError("the connection has ended", "ECONNRESET");
      }
      const end = bytes.indexOf(LINE_FEED) + 1;
      line += characters(end === 0 ? bytes : bytes.subarray(0, end));
      if (line.length > maxBytes) throw new ProtocolError("a line is too long");
      if (end === 0) continue;
      this.giveBack(bytes.subarray(end));
      return line.replace(/\r?\n$/, "");
    }
  }

  /**
   * Sends bytes, and returns whether all were sent. The reason of a failure is told by
   * {@linkcode receive}, behind an answer that may still wait there.
   */
  async send(bytes: Uint8Array): Promise<boolean> {
    try {
      for (let sent = 0; sent < bytes.length;) {
        sent += await this.#conn.write(bytes.subarray(sent));
      }
      return true;
    } catch {
      return false;
    }
  }

  /** Closes the connection. What waits for it rejects. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      this.#conn.close();
    } catch {
      // A connection that has failed may be closed already.
    }
  }
}

function characters(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += DECODED_AT_A_TIME) {
    text += String.fromCharCode(...bytes.subarray(i, i + DECODED_AT_A_TIME));
  }
  return text;
}
