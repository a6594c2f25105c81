/** Creates the lab's network namespaces and configures their devices. */
import { mkdir } from "node:fs/promises";
import type { NamespacePlan } from "./layout/plan.ts";
import type { RunDir } from "./process/run-dir.ts";
import { run } from "./run.ts";

export async function makeNamespaces(plans: readonly NamespacePlan[], dir: RunDir): Promise<void> {
  // `enter` mounts the socket directory of each namespace here.
  await mkdir("/run/wireguard", { recursive: true, mode: 0o700 });
  await run(["ip", "-batch", "-"], { input: plans.map((plan) => `netns add ${plan.namespace}\n`).join("") });
  await Promise.all(
    plans.map(async (plan) => {
      await mkdir(dir.sockets(plan.namespace), { recursive: true, mode: 0o700 });
      await run(["ip", "netns", "exec", plan.namespace, "sysctl", "-q", "-w", ...plan.sysctls]);
    }),
  );
}

export async function runIpLines(plan: Pick<NamespacePlan, "namespace" | "ipLines">): Promise<void> {
  await run(["ip", "-netns", plan.namespace, "-batch", "-"], { input: `${plan.ipLines.join("\n")}\n` });
}
