/** nginx, as a file server. */
import { dirname, join } from "@std/path";
import { randomBytes } from "./jobs/job.ts";
import { NotMeasuredError } from "./measurement.ts";
import type { Server } from "./server.ts";

/**
 * Starts nginx on a folder with one file of the given size, named by its size.
 */
export async function startNginx(dir: string, size: number): Promise<Server> {
  await Deno.mkdir(dir, { recursive: true });
  await Deno.writeFile(join(dir, `${size}`), randomBytes(size));
  const port = freePort();
  const config = join(dirname(dir), "nginx.conf");
  await Deno.writeTextFile(config, configOf(dir, port));
  const child = spawn(["-p", dirname(dir), "-c", config, "-e", "stderr"]);
  const origin = `http://127.0.0.1:${port}`;
  const server = {
    origin,
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      child.kill("SIGQUIT");
      await child.status;
    },
  };
  await answers(origin, child);
  return server;
}

function spawn(args: string[]): Deno.ChildProcess {
  try {
    return new Deno.Command("nginx", {
      args,
      stdout: "null",
      stderr: "null",
    }).spawn();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new NotMeasuredError("there is no nginx");
  }
}

function configOf(root: string, port: number): string {
  const folders = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
    .map((name) => `${name}_temp_path ${dirname(root)}/${name};`);
  // nginx runs as this user: no other may read the folder.
  const user = Deno.uid() === 0 ? "user root;" : "";
  return `
    ${user}
    daemon off;
    worker_processes auto;
    pid ${dirname(root)}/nginx.pid;
    events { worker_connections 256; }
    http {
      ${folders.join("\n")}
      access_log off;
      sendfile on;
      tcp_nopush on;
      keepalive_requests 1000000000;
      open_file_cache max=16;
      default_type video/mp4;
      server { listen 127.0.0.1:${port}; root ${root}; }
    }
  `;
}

/** Waits until nginx listens, or has ended. */
async function answers(origin: string, child: Deno.ChildProcess) {
  const ended = child.status.then(({ code }) => {
    throw new Error(`nginx has ended with ${code}`);
  });
  const listens = async () => {
    for (;;) {
      try {
        await (await fetch(origin)).body?.cancel();
        return;
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
  };
  ended.catch(() => {});
  await Promise.race([listens(), ended]);
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
