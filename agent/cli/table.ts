/** Output of the command line: tables and lines for people, or JSON. */
import Table from "cli-table3";
import { printable, printableLines } from "../model/printable.ts";

/** A cell that is null is shown as a dash. */
export function printTable(head: readonly string[], rows: readonly (readonly (string | number | null)[])[]): void {
  if (rows.length === 0) {
    console.log(`(none: ${head.join(", ")})`);
    return;
  }
  const plain = !process.stdout.isTTY || process.env.NO_COLOR !== undefined;
  const table = new Table({
    chars: { mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" },
    head: [...head],
    style: plain ? { head: [], border: [] } : { head: ["bold"], border: ["grey"] },
  });
  table.push(...rows.map((row) => row.map((cell) => (cell === null ? "–" : printable(String(cell))))));
  console.log(table.toString());
}

/** One line; text of others cannot command the terminal. */
export function printLine(text: string): void {
  console.log(printable(text));
}

/** What is escaped is inside JSON strings only, so the value stays the same. */
export function printJson(value: unknown): void {
  console.log(printableLines(JSON.stringify(value, null, 2)));
}
