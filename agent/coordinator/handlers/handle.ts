/** Performs one action. What it finds out is dispatched as messages. */
import type { Mesh } from "../mesh.ts";
import type { Action } from "../next-actions.ts";
import type { Site } from "../site.ts";
import {
  clearAuction,
  closeWithoutTrade,
  collectOrder,
  commitOrder,
  openAuction,
  prepareOrder,
  revealOrder,
} from "./auction.ts";
import { cosignTeardown, dissolve } from "./dissolve.ts";
import { offerLink } from "./link.ts";
import { declareLost, declareReturned, withdrawLink } from "./lost.ts";
import { exchangeReceipt } from "./receipt.ts";
import { scan } from "./scan.ts";
import { settleLease } from "./settle.ts";
import { compareTopology, fetchTopology, measurePairs, publishTopology } from "./topology.ts";

/** Does what an action says. @throws EphemeshError of the action's handler */
export function handle(site: Site, mesh: Mesh, action: Action): Promise<void> {
  switch (action.kind) {
    case "scan":
      return scan(site, mesh);
    case "open-auction":
      return openAuction(site, mesh, action);
    case "prepare-order":
      return prepareOrder(site, mesh, action);
    case "commit-order":
      return commitOrder(site, mesh, action);
    case "reveal-order":
      return revealOrder(site, mesh, action);
    case "clear-auction":
      return clearAuction(site, mesh, action);
    case "cancel-auction":
      return closeWithoutTrade(site, action);
    case "collect-order":
      return collectOrder(site, action);
    case "measure-pairs":
      return measurePairs(site, mesh);
    case "publish-topology":
      return publishTopology(site, mesh);
    case "fetch-topology":
      return fetchTopology(site, mesh, action);
    case "compare-topology":
      return compareTopology(site, mesh, action);
    case "declare-lost":
      return declareLost(site, mesh, action);
    case "declare-returned":
      return declareReturned(site, mesh, action);
    case "withdraw-link":
      return withdrawLink(site, mesh, action);
    case "offer-link":
      return offerLink(site, mesh, action);
    case "exchange-receipt":
      return exchangeReceipt(site, mesh, action);
    case "settle-lease":
      return settleLease(site, mesh, action);
    case "dissolve":
      return dissolve(site, mesh);
    case "cosign-teardown":
      return cosignTeardown(site, mesh, action);
  }
}
