/** The deployment as Ignition keeps it: a journal on disk, so that a crash in the middle goes on where it stopped. */
import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";

/**
 * Parameters: `consortium`, `auctionAddress` (where the fifth transaction of the deployer will create it; the auction
 * refuses an escrow that names another), `auction` and `escrow` constants, and `token`, absent for the demo's.
 */
export function ephemeshModule(withToken: boolean) {
  return buildModule("Ephemesh", (m) => {
    const consortium = m.getParameter<string>("consortium");
    const token = withToken
      ? m.contractAt("SettlementToken", m.getParameter<string>("token"))
      : m.contract("SettlementToken", [consortium]);
    // One after another: the auction's address follows from the deployer's count of transactions.
    const manager = m.contract("AccessManager", [consortium], { after: [token] });
    const membership = m.contract("Membership", [manager]);
    const escrow = m.contract("LeaseEscrow", [
      membership,
      token,
      m.getParameter<string>("auctionAddress"),
      m.getParameter("escrow"),
    ]);
    const auction = m.contract("CapacityAuction", [membership, escrow, m.getParameter("auction")]);
    const reputation = m.contractAt("Reputation", m.staticCall(escrow, "reputation"));
    return { token, manager, membership, escrow, auction, reputation };
  });
}
