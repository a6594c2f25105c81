/**
 * Finds terms that have a plainer or more exact word: `node scripts/lint-prose.ts [FILE …]`, by default in every tracked
 * text. docs/GLOSSARY.md defines the words to use.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

interface Rule {
  readonly term: RegExp;
  readonly use: string;
  /** Only in files of these kinds. */
  readonly files?: RegExp;
}
export interface Finding {
  readonly line: number;
  readonly term: string;
  readonly use: string;
}

const CODE = /\.(ts|mjs|sol)$/;
const RULES: readonly Rule[] = [
  { term: /\bmend(s|ed|ing)?\b/gi, use: "fix" },
  { term: /\bpurses?\b/gi, use: "funds, budget" },
  { term: /\bdownhill\b/gi, use: "downstream" },
  { term: /\bhurr(y|ied|iedly)\b/gi, use: "soon, at once, urgent" },
  { term: /\blacking\b/gi, use: "missing, without" },
  { term: /\bwhoever\b/gi, use: "anyone who, the region that, whichever" },
  { term: /\bkick(s|ed|ing|Millis)?\b/gi, use: "start a handshake, wake" },
  { term: /\bFADE\b/g, use: "decayFactor, DECAY_FACTOR" },
  { term: /\bby\s+way\s+of\b/gi, use: "via" },
  { term: /\bleads?\s+nowhere\b/gi, use: "has no effect, is not used" },
  { term: /\b_?(MOST|FEWEST|LONGEST|LEAST|WIDEST|SHORTEST|SMALLEST)_[A-Z_]+/g, use: "MAX_… or MIN_…" },
  { term: /\b(?:Way|WAY)\b/g, use: "Path, Direction", files: CODE },
  {
    term: /\bstanding(?!\s+(?:[*/#]+\s+)?peering|Peering)\w*/gi,
    use: "valid, current, exists (only `standing peering`)",
  },
  { term: /\bleast\s+score\b/gi, use: "minimum score" },
  { term: /\bstands?\s+(?:up\s+again|behind)\b/gi, use: "exists again, follows, secures" },
  { term: /\bmostItCosts\b/g, use: "maxCost" },
  { term: /\bleastScore\b/g, use: "minScore" },
  { term: /\bwidestCosine\b/g, use: "maxCosine" },
  { term: /\bPairBlocked\b/g, use: "CreditSuspended" },
  { term: /\bblockedUntil\b/g, use: "creditSuspendedUntil" },
  { term: /\bKERNEL_LACKS\b/g, use: "KERNEL_FEATURE_MISSING" },
  { term: /^(?! *(?:\*|\/\/|\/\*)).*?\b(why|because)\??: /gm, use: "reason", files: CODE },
  { term: /\breadonly cause\??:/g, use: "reason", files: CODE },
  { term: /\bno such \w+ can be\b/gi, use: "say what is invalid, and the reason" },
  { term: /\b(?:what stands|nothing of (?:it|this|that))\b/gi, use: "a plain sentence: subject, verb, object" },
  {
    term: /\b(?:thereof|hereby|whereof|henceforth|whence|thence|hither|thither|naught|nought|lest|amiss|oftentimes|aforesaid)\b/gi,
    use: "a current word",
  },
];

const CHECKED = /\.(ts|mjs|sol|md|c|json|ya?ml|sh)$|^scripts\/[\w-]+$|^lab\/(enter|rootless)$|^\.ci\/run$/;
const EXEMPT =
  /^(package-lock\.json|scripts\/lint-prose\.ts|test\/scripts\/lint\.test\.ts|test\/vectors\/|agent\/chain\/abi\/|deployments\/|docs\/images\/|lab\/topologies\/data\/|bench\/data\/)/;
/** These files name old words, quoted or in italics; wallet-salt.ts quotes a text that wallets signed, which cannot change. */
const NAMES_OLD_WORDS =
  /^(CHANGELOG\.md|docs\/GLOSSARY\.md|agent\/auction\/wallet-salt\.ts|agent\/journal\/migrations\.ts|test\/journal\/.*)$/;

export function findingsIn(file: string, text: string): Finding[] {
  const read = NAMES_OLD_WORDS.test(file) ? text.replace(/`[^`\n]*`|\*[^*\n]+\*|"[^"\n]*"/g, "") : text;
  return RULES.filter(({ files }) => files === undefined || files.test(file))
    .flatMap(({ term, use }) =>
      [...read.matchAll(term)].map((match) => ({
        line: read.slice(0, match.index).split("\n").length,
        term: (match[1] !== undefined && /why|because/.test(match[1]) ? match[1] : match[0])
          .replace(/\s+/g, " ")
          .trim(),
        use,
      })),
    )
    .sort((a, b) => a.line - b.line);
}

if (import.meta.main) {
  const named = process.argv.slice(2);
  const tracked = execFileSync("git", ["ls-files"], { encoding: "utf8" }).split("\n");
  const files = (named.length > 0 ? named : tracked).filter((file) => CHECKED.test(file) && !EXEMPT.test(file));
  let count = 0;
  for (const file of files)
    for (const { line, term, use } of findingsIn(file, readFileSync(file, "utf8"))) {
      console.log(`${file}:${line}: "${term}" → ${use}`);
      count++;
    }
  console.log(`${files.length} files read, ${count} findings`);
  if (count > 0) process.exitCode = 1;
}
