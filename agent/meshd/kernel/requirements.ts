/**
 * Checks that a router has the tools and kernel features for a mesh. Changes nothing: the rules are checked and not
 * loaded, the shaper is made in a namespace of its own.
 */
import { EphemeshError } from "../../model/errors.ts";
import { ruleset } from "../steering/ruleset.ts";
import type { Steering } from "../steering/steering.ts";
import { command } from "./commands.ts";
import { missingKernelFeature } from "./missing.ts";

export interface Requirement {
  readonly name: string;
  /** Returns what was found. @throws EphemeshError TOOL_MISSING, KERNEL_FEATURE_MISSING, and what `command` throws */
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
      return "accepts our rules";
    },
  },
  { name: "kernel HTB", check: checkShaper },
];

/** @throws EphemeshError of the first requirement that is not met */
export async function requireMachine(): Promise<void> {
  for (const { check } of REQUIREMENTS) await check();
}

/** Without the right to make a namespace this is not tested; then a missing shaper shows with the first link. */
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
  outbound: [{ source: "192.0.2.0/25", destination: "192.0.2.128/25", mark: 1 }],
  inbound: [{ source: "2001:db8::/64", destination: "2001:db8:1::/64", mark: 1 }],
  outboundDestinations: [{ prefix: "192.0.2.128/25", mark: 1 }],
  inboundDestinations: [{ prefix: "2001:db8:1::/64", mark: 1 }],
  leases: [{ device: "eph000000000000", marks: [1], meshIndex: 1, rateMbps: 1 }],
  meshIndexes: [1],
  seed: 0,
};
