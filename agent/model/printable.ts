/** Text of others, fit for a terminal: what would move its cursor, hide or reorder what stands there is shown instead. */

/** One line: control characters (a line's end too) and those that turn the direction of writing become `\u001b`. */
export function printable(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** The same of a text whose lines are our own. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}
