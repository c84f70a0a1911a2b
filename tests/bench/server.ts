/** A server in a process of its own. */

/** A process that listens on a port. */
export interface Server extends AsyncDisposable {
  /** The origin of its URLs, such as `http://127.0.0.1:8080`. */
  readonly origin: string;
  /** The server process. */
  readonly pid: number;
}

/** Starts a server that prints its port first. */
export async function startServer(command: Deno.Command): Promise<Server> {
  const child = command.spawn();
  const errors = new Response(child.stderr).text();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const { value } = await reader.read();
  if (value === undefined) throw new Error(await errors);
  return {
    pid: child.pid,
    origin: `http://127.0.0.1:${value.trim()}`,
    async [Symbol.asyncDispose]() {
      child.kill();
      await reader.cancel();
      await errors;
      await child.status;
    },
  };
}
