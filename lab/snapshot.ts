/**
 * The network configuration of a namespace as text, to check that it is byte for byte unchanged (INV-10). Leaves out what
 * changes by itself: counters, neighbours, remaining lifetimes.
 */
import type { Command } from "./run.ts";

const SECTIONS = {
  "links and addresses": [["ip", "-details", "address", "show"]],
  "IPv4 routes": [["ip", "-4", "-details", "route", "show", "table", "all"]],
  "IPv6 routes": [["ip", "-6", "-details", "route", "show", "table", "all"]],
  rules: [
    ["ip", "-4", "rule", "show"],
    ["ip", "-6", "rule", "show"],
  ],
  "next-hop objects": [["ip", "-details", "nexthop", "show"]],
  // With handles, because a rule that was removed and added again gets another one.
  nftables: [["nft", "--stateless", "--handle", "list", "ruleset"]],
  "queueing disciplines": [["tc", "qdisc", "show"]],
  sysctls: [["sysctl", "--all", "--ignore", "--pattern", "^net\\.ipv[46]\\.conf\\."]],
} as const satisfies Record<string, readonly Command[]>;

export type Section = keyof typeof SECTIONS;
const sections = Object.keys(SECTIONS) as Section[];
export type Snapshot = Readonly<Record<Section, readonly string[]>>;

/** The kernel lists these in arbitrary order. */
const UNORDERED: readonly Section[] = ["IPv4 routes", "IPv6 routes", "sysctls"];

/** @param exec runs a command inside the namespace, e.g. `(command) => lab.exec("eu-west-1", command)`. */
export async function takeSnapshot(exec: (command: Command) => Promise<string>): Promise<Snapshot> {
  const read = async (section: Section) => {
    const outputs = await Promise.all(SECTIONS[section].map((command) => exec(command)));
    const lines = outputs.flatMap((output) => output.split("\n").map(withoutVolatile)).filter((line) => line !== "");
    return UNORDERED.includes(section) ? lines.sort() : lines;
  };
  const snapshot = {} as Record<Section, readonly string[]>;
  await Promise.all(sections.map(async (section) => Object.assign(snapshot, { [section]: await read(section) })));
  return snapshot;
}

function withoutVolatile(line: string): string {
  return line
    .replace(/ expires \d+sec/, "")
    .replace(/(valid_lft|preferred_lft) \d+sec/g, "$1 …")
    .trimEnd();
}

export interface Difference {
  readonly section: Section;
  readonly added: readonly string[];
  readonly missing: readonly string[];
}

/** Lines that were added, and lines that are missing; a changed line is one of each. */
export function differences(before: Snapshot, after: Snapshot): readonly Difference[] {
  return sections
    .map((section) => ({
      section,
      added: withoutEach(after[section], before[section]),
      missing: withoutEach(before[section], after[section]),
    }))
    .filter((difference) => difference.added.length + difference.missing.length > 0);
}

/** The number of lines that differ; 0: the configuration is unchanged. */
export function leftBehind(before: Snapshot, after: Snapshot): number {
  return differences(before, after).reduce((sum, { added, missing }) => sum + added.length + missing.length, 0);
}

export function describeDifferences(before: Snapshot, after: Snapshot): string {
  return differences(before, after)
    .flatMap(({ section, added, missing }) => [
      section,
      ...missing.map((line) => `  - ${line}`),
      ...added.map((line) => `  + ${line}`),
    ])
    .join("\n");
}

export function snapshotText(snapshot: Snapshot): string {
  return sections.map((section) => `## ${section}\n${snapshot[section].join("\n")}\n`).join("\n");
}

/** The lines of `from` that are not in `others`; equal lines are counted. */
function withoutEach(from: readonly string[], others: readonly string[]): readonly string[] {
  const left = new Map<string, number>();
  for (const line of others) left.set(line, (left.get(line) ?? 0) + 1);
  return from.filter((line) => {
    const count = left.get(line) ?? 0;
    if (count > 0) left.set(line, count - 1);
    return count === 0;
  });
}
