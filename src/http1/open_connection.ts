import { Connection } from "./connection.ts";
import { settled } from "./settled.ts";

/** The place of a connection. */
export interface Endpoint {
  /** The address, or a name that Deno resolves; IPv6 without brackets. */
  readonly hostname: string;
  /** The port. */
  readonly port: number;
  /** The name that TLS tells and checks; undefined for a connection without TLS. */
  readonly tlsName: string | undefined;
}

/**
 * Connects, with TLS if the endpoint has a name for it. Rejects when the signal aborts; a
 * connection that comes behind the abort is closed.
 */
export async function openConnection(
  { hostname, port, tlsName }: Endpoint,
  signal: AbortSignal | undefined,
): Promise<Connection> {
  const options = { hostname, port, ...(signal && { signal }) };
  const connecting = Deno.connect(options);
  let conn: Deno.TcpConn;
  try {
    // The signal alone does not end Deno's wait for a name server.
    conn = await settled(connecting, signal);
  } catch (error) {
    connecting.then((late) => late.close(), () => {});
    throw error;
  }
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
    new Connection(secured ?? conn).close();
    throw error;
  }
}
