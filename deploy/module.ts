/** The deployment as an Ignition module: its journal on disk lets it go on after a crash. */
import { buildModule } from "@nomicfoundation/hardhat-ignition/modules";

/**
 * Parameters: `consortium`; `auctionAddress`, at which the last transaction creates the auction, which refuses an escrow
 * that names another address; `auction` and `escrow` constants; `token`, absent for the demo's.
 */
export function ephemeshModule(withToken: boolean) {
  return buildModule("Ephemesh", (m) => {
    const consortium = m.getParameter<string>("consortium");
    const token = withToken
      ? m.contractAt("SettlementToken", m.getParameter<string>("token"))
      : m.contract("SettlementToken", [consortium]);
    // In sequence: the auction's address follows from the deployer's number of transactions.
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
