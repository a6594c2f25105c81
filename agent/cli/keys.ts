/** `ephemesh config keys`: makes a region's two keys and the token of its API. It prints public keys only. */
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { generatePrivateKey, privateKeyToAddress } from "viem/accounts";
import { EphemeshError } from "../model/errors.ts";

/** Writes agent.key, routing.key and api.token, mode 0600. @throws EphemeshError KEY_EXISTS, FOLDER_UNWRITABLE */
export function makeKeys(folder: string): void {
  const files = { agent: `${folder}/agent.key`, routing: `${folder}/routing.key`, token: `${folder}/api.token` };
  for (const file of Object.values(files))
    if (existsSync(file))
      throw new EphemeshError(
        "KEY_EXISTS",
        `${file} exists. No key was made.`,
        "Name another folder, or move the old keys away first.",
      );
  makeFolder(folder);
  const agent = generatePrivateKey();
  const routing = generateKeyPairSync("ed25519");
  writeFileSync(files.agent, `${agent}\n`, { mode: 0o600, flag: "wx" });
  writeFileSync(files.routing, routing.privateKey.export({ type: "pkcs8", format: "pem" }), {
    mode: 0o600,
    flag: "wx",
  });
  writeFileSync(files.token, `${randomBytes(24).toString("base64url")}\n`, { mode: 0o600, flag: "wx" });
  console.log(`agent    ${privateKeyToAddress(agent)}`);
  console.log(
    `routing  0x${Buffer.from(routing.publicKey.export({ format: "jwk" }).x ?? "", "base64url").toString("hex")}`,
  );
}

/** One level only: Node's recursive mkdir does not return where the kernel allows no folders, as in /proc. */
function makeFolder(folder: string): void {
  if (existsSync(folder)) return;
  try {
    mkdirSync(folder, { mode: 0o700 });
  } catch (cause) {
    throw new EphemeshError(
      "FOLDER_UNWRITABLE",
      `The folder ${folder} cannot be made: ${(cause as Error).message}. No key was made.`,
      "Name a folder that exists, or a new one in a folder that exists.",
      { cause },
    );
  }
}
