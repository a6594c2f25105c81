/** The token that a request needs to change anything. */
import { readSecret } from "../config.ts";
import { EphemeshError } from "../model/errors.ts";

const MIN_TOKEN_BYTES = 16;

/** @throws EphemeshError TOKEN_WEAK, and those of `readSecret` */
export function operatorToken(file: string): Buffer {
  const token = Buffer.from(readSecret(file));
  if (token.length < MIN_TOKEN_BYTES)
    throw new EphemeshError(
      "TOKEN_WEAK",
      `The operator's token in ${file} has only ${token.length} bytes and could be guessed. The API was not opened.`,
      `Use at least ${MIN_TOKEN_BYTES} bytes; \`ephemesh config keys FOLDER\` makes a token.`,
    );
  return token;
}
