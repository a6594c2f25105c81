/** Makes text of others safe for a terminal: control characters, which could move the cursor or hide text, are escaped. */

/** One line: control characters, line breaks and characters that change the writing direction become `\u001b` and so on. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** The same, but line breaks stay. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}
