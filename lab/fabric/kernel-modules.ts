/** Loads kernel modules that the kernel loads by itself, except where its module loader is out of reach. */
import { existsSync } from "node:fs";
import { EphemeshError } from "../../agent/model/errors.ts";
import { run } from "../run.ts";

const MODULES = [
  ...["bridge", "veth", "tun", "ifb"],
  ...["sch_netem", "sch_htb", "sch_tbf", "sch_ingress", "cls_flower", "cls_matchall", "act_mirred"],
];

/** Best effort: built-in features have no module, and a missing one is reported where it is used. */
export async function loadKernelModules(): Promise<void> {
  const missing = MODULES.filter((name) => !existsSync(`/sys/module/${name}`));
  if (missing.length === 0) return;
  try {
    await run(["modprobe", "--all", "--quiet", ...missing]);
  } catch (error) {
    if (!(error instanceof EphemeshError)) throw error;
  }
}
