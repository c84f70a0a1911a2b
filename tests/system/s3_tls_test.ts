/** The tier over https, with a certificate of a private authority. Needs `openssl`. */
import { assertEquals, assertRejects } from "@std/assert";
import { join } from "@std/path";
import { tempDir } from "../fixtures/directory/temp_dir.ts";
import { ALL_WELL, runTierWorker } from "../fixtures/remote/run_tier_worker.ts";
import { S3Engine } from "../fixtures/remote/s3_engine.ts";

/** Makes an authority, and a certificate of it for 127.0.0.1. */
async function makeCertificate(
  folder: string,
): Promise<{ cert: string; key: string; authority: string }> {
  const path = (name: string) => join(folder, `${name}.pem`);
  await makePair(path("authority"), path("authority-key"), "test authority", [
    ...["-addext", "basicConstraints=critical,CA:TRUE"],
  ]);
  await makePair(path("cert"), path("key"), "127.0.0.1", [
    ...["-CA", path("authority"), "-CAkey", path("authority-key")],
    ...["-addext", "basicConstraints=critical,CA:FALSE"],
    ...["-addext", "subjectAltName=IP:127.0.0.1"],
  ]);
  return {
    cert: await Deno.readTextFile(path("cert")),
    key: await Deno.readTextFile(path("key")),
    authority: path("authority"),
  };
}

async function makePair(
  certPath: string,
  keyPath: string,
  name: string,
  others: string[],
): Promise<void> {
  const { success, stderr } = await new Deno.Command("openssl", {
    args: [
      ...["req", "-x509", "-nodes", "-days", "2", "-subj", `/CN=${name}`],
      ...["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"],
      ...["-keyout", keyPath, "-out", certPath, ...others],
    ],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

Deno.test("a tier works over https with the authority that --cert names", async () => {
  await using folder = await tempDir();
  const { authority, ...certificate } = await makeCertificate(folder.path);
  await using engine = new S3Engine(certificate);
  const flags = [`--allow-net=${new URL(engine.endpoint).host}`];
  const options = { ...engine.options, lease: "bucket" } as const;

  assertEquals(
    await runTierWorker(["--cert", authority, ...flags], options),
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
