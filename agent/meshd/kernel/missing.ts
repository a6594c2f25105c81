/** Recognises missing tools and kernel features from how commands fail, and names the package or module. */
import { EphemeshError } from "../../model/errors.ts";

const PACKAGES: Readonly<Record<string, string>> = {
  ip: "iproute2",
  tc: "iproute2",
  nft: "nftables",
  wg: "wireguard-tools",
  "wireguard-go": "wireguard-go",
  chrt: "util-linux",
};

interface Part {
  readonly tool: string;
  readonly said: RegExp;
  readonly what: string;
  readonly module: string;
}

const NOT_SUPPORTED = /(?:Operation|Protocol|Address family) not supported/;
const PARTS: readonly Part[] = [
  { tool: "tc", said: /qdisc kind is unknown|Unknown qdisc/, what: "no HTB shaper", module: "sch_htb" },
  { tool: "tc", said: NOT_SUPPORTED, what: "no traffic control", module: "sch_htb" },
  { tool: "nft", said: NOT_SUPPORTED, what: "no nftables", module: "nf_tables" },
];

/** Null: the command failed for another reason. */
export function missingKernelFeature(file: string, said: string, cause?: unknown): EphemeshError | null {
  const part = PARTS.find((each) => each.tool === file && each.said.test(said));
  if (!part) return null;
  return new EphemeshError(
    "KERNEL_FEATURE_MISSING",
    `This kernel has ${part.what} (${part.module}): ${said.trim()}`,
    `modprobe ${part.module}, or boot a kernel that has it, as Debian's does.`,
    { cause },
  );
}

/** For a command that could not be run because it does not exist: TOOL_MISSING. */
export function missingTool(file: string, cause?: unknown): EphemeshError {
  return new EphemeshError(
    "TOOL_MISSING",
    `The command ${file} is not installed, or not in PATH.`,
    `Install the Debian package ${PACKAGES[file] ?? file}.`,
    { cause },
  );
}
