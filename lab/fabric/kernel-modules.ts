/** Modules that the kernel would load by itself on most machines, and cannot where its own loader is out of reach. */
import { existsSync } from "node:fs";
import { EphemeshError } from "../../agent/model/errors.ts";
import { run } from "../run.ts";

const WANTED = [
  ...["bridge", "veth", "tun", "ifb"],
  ...["sch_netem", "sch_htb", "sch_tbf", "sch_ingress", "cls_flower", "cls_matchall", "act_mirred"],
];

/** Best effort: what is built in has no module, and what is missing will say so where it is used. */
export async function loadKernelModules(): Promise<void> {
  const missing = WANTED.filter((name) => !existsSync(`/sys/module/${name}`));
  if (missing.length === 0) return;
  try {
    await run(["modprobe", "--all", "--quiet", ...missing]);
  } catch (error) {
    if (!(error instanceof EphemeshError)) throw error;
  }
}
