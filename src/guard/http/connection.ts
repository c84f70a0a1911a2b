/** The most bytes of one read. */
const READ_BYTES = 65_536;

const LINE_FEED = 10;

/** Arguments of one call of `String.fromCharCode()`, far below any limit of the stack. */
const DECODED_AT_A_TIME = 4_096;

/** The place of a connection. */
export interface Endpoint {
  /** The checked address. */
  readonly address: string;
  /** The port. */
  readonly port: number;
  /** The name that TLS tells and checks; undefined for a connection without TLS. */
  readonly tlsName: string | undefined;
}

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

/** A connection to one address. */
export class Connection {
  /** Whether anything was received. */
  hasReceived = false;
  readonly #conn: Deno.Conn;
  readonly #room = new Uint8Array(READ_BYTES);
  /** Bytes that were received and given back. */
  #waiting: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #isClosed = false;

  private constructor(conn: Deno.Conn) {
    this.#conn = conn;
  }

  /**
   * Connects, with TLS if the endpoint has a name for it. Rejects when the signal aborts.
   */
  static async open(
    { address, port, tlsName }: Endpoint,
    signal: AbortSignal | undefined,
  ): Promise<Connection> {
    const options = { hostname: address, port, ...(signal && { signal }) };
    const conn = await Deno.connect(options);
    if (tlsName === undefined) return new Connection(conn);
    let secured: Deno.TlsConn | undefined;
    try {
      secured = await Deno.startTls(conn, {
        hostname: tlsName,
        alpnProtocols: ["http/1.1"],
      });
      await settled(secured.handshake(), signal);
      return new Connection(secured);
    } catch (error) {
      // Deno 2.9 keeps the socket until the server answers the handshake, or closes it.
      closeConn(secured ?? conn);
      throw error;
    }
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

  /** Sends bytes. */
  async send(bytes: Uint8Array): Promise<void> {
    for (let sent = 0; sent < bytes.length;) {
      sent += await this.#conn.write(bytes.subarray(sent));
    }
  }

  /** Closes the connection. What waits for it rejects. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    closeConn(this.#conn);
  }
}

function characters(bytes: Uint8Array): string {
  let text = "";
  for (let i = 0; i < bytes.length; i += DECODED_AT_A_TIME) {
    text += String.fromCharCode(...bytes.subarray(i, i + DECODED_AT_A_TIME));
  }
  return text;
}

function closeConn(conn: Deno.Conn): void {
  try {
    conn.close();
  } catch {
    // A connection that has failed may be closed already.
  }
}

/** The result of a promise, or the reason of a signal that aborts before. */
export async function settled<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (signal === undefined) return await promise;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  if (signal.aborted) abort();
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([aborted, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
