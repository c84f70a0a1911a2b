/** The tier over https, with a certificate of a private authority. Needs `openssl`. */
import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { tempDir } from "../fixtures/directory/temp_dir.ts";
import { ALL_WELL, runTierWorker } from "../fixtures/remote/run_tier_worker.ts";
import { S3Engine } from "../fixtures/remote/s3_engine.ts";

/** Makes a certificate of 127.0.0.1 that is its own authority. */
async function makeCertificate(
  folder: string,
): Promise<{ cert: string; key: string; path: string }> {
  const path = join(folder, "cert.pem");
  const keyPath = join(folder, "key.pem");
  const { success, stderr } = await new Deno.Command("openssl", {
    args: [
      ...["req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"],
      ...["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
      ...["-addext", "subjectAltName=IP:127.0.0.1"],
      ...["-keyout", keyPath, "-out", path],
    ],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const [cert, key] = await Promise.all(
    [path, keyPath].map((each) => Deno.readTextFile(each)),
  );
  return { cert: cert!, key: key!, path };
}

Deno.test("a tier works over https with the authority that --cert names", async () => {
  await using folder = await tempDir();
  const { path, ...certificate } = await makeCertificate(folder.path);
  await using engine = new S3Engine(certificate);
  const flags = [`--allow-net=${new URL(engine.endpoint).host}`];
  const options = { ...engine.options, lease: "bucket" } as const;

  assertEquals(
    await runTierWorker(["--cert", path, ...flags], options),
    ALL_WELL,
  );

  const { length } = engine.requests;
  await assertRejects(
    () => runTierWorker(flags, options),
    Error,
    "ERR_TLS_CERT_INVALID",
  );
  assertEquals(engine.requests.length, length);
});
