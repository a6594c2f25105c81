/** Checks the commits since the rule was made: `area: Imperative title` of at most 72 characters, and a body. */
import { execFileSync } from "node:child_process";

/** The last commit before the rule. */
const SINCE = "cbc333baea970b57c4ab5f9364f0b0cb1c0e7578";
const MAX_LENGTH = 72;
/** Verbs that only look like another form. */
const IMPERATIVE =
  /^(?:Pass|Address|Process|Press|Express|Compress|Suppress|Focus|Discuss|Guess|Miss|Embed|Feed|Seed|Speed|Shed|Need|Bring|Ring|String|Ping|Bias|Bypass)$/;

/** @param message title, empty line, body. @returns what is wrong, or null. */
export function faultOf(message: string): string | null {
  const [title = "", ...body] = message.split("\n");
  if (title.length > MAX_LENGTH) return `${title.length} characters, at most ${MAX_LENGTH}`;
  const verb = /^[a-z][a-z0-9/-]*: ([A-Z][\w-]*)\b.*[^.]$/.exec(title)?.[1];
  if (verb === undefined) return "not of the form `area: Imperative title`";
  if (/(?:ed|ing|s)$/.test(verb) && !IMPERATIVE.test(verb)) return `"${verb}" is not an imperative`;
  if (body.every((line) => line.trim() === "")) return "no body that says why";
  return null;
}

if (import.meta.main) {
  const log = (...range: string[]) =>
    execFileSync("git", ["log", "--no-merges", "-z", "--format=%h %B", ...range], { encoding: "utf8" });
  // A shallow clone does not have the commit.
  const known = execFileSync("git", ["rev-list", "--all"], { encoding: "utf8" }).includes(SINCE);
  const commits = (known ? log(`${SINCE}..HEAD`) : log("-1")).split("\0").filter(Boolean);
  for (const commit of commits) {
    const fault = faultOf(commit.slice(commit.indexOf(" ") + 1));
    if (fault === null) continue;
    console.log(`${commit.split("\n")[0]}\n  ${fault}`);
    process.exitCode = 1;
  }
  console.log(`${commits.length} commits read`);
}
