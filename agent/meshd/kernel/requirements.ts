/**
 * What a router must have before a mesh is promised to anybody: its tools run, and its kernel can do what they are asked
 * for. Leaves nothing behind: the rules are checked and not loaded, the shaper stands in a namespace of its own.
 */
import { EphemeshError } from "../../model/errors.ts";
import { ruleset } from "../steering/ruleset.ts";
import type { Steering } from "../steering/steering.ts";
import { command } from "./commands.ts";
import { missingKernelFeature } from "./missing.ts";

export interface Requirement {
  readonly name: string;
  /** What was found. @throws EphemeshError TOOL_MISSING, KERNEL_FEATURE_MISSING, and what a tool that fails says */
  readonly check: () => Promise<string>;
}

const tool = (name: string, option: string): Requirement => ({
  name: `tool ${name}`,
  check: async () => (await command(name, [option])).split("\n")[0] ?? "",
});

export const REQUIREMENTS: readonly Requirement[] = [
  tool("ip", "-V"),
  tool("tc", "-V"),
  tool("nft", "--version"),
  tool("wg", "--version"),
  {
    name: "kernel nftables",
    check: async () => {
      await command("nft", ["--check", "-f", "-"], { input: ruleset(EXAMPLE) });
      return "takes our rules";
    },
  },
  { name: "kernel HTB", check: checkShaper },
];

export async function requireMachine(): Promise<void> {
  for (const { check } of REQUIREMENTS) await check();
}

/** Without the right to a namespace of its own nothing is learned: then the first link tells. */
async function checkShaper(): Promise<string> {
  const shaper = ["qdisc", "add", "dev", "lo", "root", "handle", "1:", "htb", "default", "2"];
  try {
    await command("unshare", ["--net", "tc", ...shaper]);
    return "shapes";
  } catch (error) {
    const lacks = error instanceof EphemeshError && missingKernelFeature("tc", error.message, error);
    if (lacks) throw lacks;
    return "not tested: no namespace can be made for it";
  }
}

/** One of each kind of rule. */
const EXAMPLE: Steering = {
  devices: ["eph000000000000"],
  outward: [{ source: "192.0.2.0/25", destination: "192.0.2.128/25", mark: 1 }],
  arriving: [{ source: "2001:db8::/64", destination: "2001:db8:1::/64", mark: 1 }],
  far: [{ prefix: "192.0.2.128/25", mark: 1 }],
  errorsIn: [{ prefix: "2001:db8:1::/64", mark: 1 }],
  leases: [{ device: "eph000000000000", marks: [1], meshIndex: 1, rateMbps: 1 }],
  meshIndexes: [1],
  seed: 0,
};
