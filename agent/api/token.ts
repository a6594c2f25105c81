/** What an operator shows to change anything. */
import { readSecret } from "../config.ts";
import { EphemeshError } from "../model/errors.ts";

/** Bytes. */
const MIN_TOKEN = 16;

/** @throws EphemeshError TOKEN_WEAK, and what `readSecret` refuses */
export function operatorToken(file: string): Buffer {
  const token = Buffer.from(readSecret(file));
  if (token.length < MIN_TOKEN)
    throw new EphemeshError(
      "TOKEN_WEAK",
      `The operator's token in ${file} has ${token.length} bytes and could be guessed; the API was not opened.`,
      `Take one of at least ${MIN_TOKEN}: \`ephemesh config keys FOLDER\` makes one.`,
    );
  return token;
}
