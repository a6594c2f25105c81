/** On the last day of a week a region takes its part in the next week's priority budgets: once, by its agent. */
import { isLastDayOfWeek, weekOf } from "../auction/calendar.ts";
import { leaseEscrowAbi } from "../chain/abi/lease-escrow.ts";
import { ContractRefusal } from "../chain/refusals.ts";
import { chainNow, type Site } from "./site.ts";

export async function registerBudget(site: Site): Promise<void> {
  const now = chainNow(site);
  const wantsPriority = Object.values(site.config.buy).some((policy) => policy.boost > 0);
  if (!wantsPriority || !isLastDayOfWeek(now)) return;
  const call = {
    address: site.deployment.escrow,
    abi: leaseEscrowAbi,
    functionName: "registerBudget",
    args: [site.self],
  };
  await site.sender.send(`register-budget:${weekOf(now) + 1}`, call, site.signal).catch((error: unknown) => {
    // Anybody may have done it for us.
    if (!(error instanceof ContractRefusal && error.refusal === "AlreadyRegistered")) throw error;
  });
}
