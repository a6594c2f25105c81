// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AuctionId, LeaseId, Price, RegionId} from "./Types.sol";

/// @notice A region's money, in price units.
/// @param free free balance: can be withdrawn, bonded or used by orders.
/// @param locked the most that revealed bids and leases can still cost.
/// @param bonded bonds of asks and of leases sold.
/// @param membershipBond bond that gives weight to the region's settlements as a buyer.
/// @param allowance what orders of the agent's key can still take; what such orders give back raises it again.
/// @param bondExitAt Unix second from which an exiting membership bond can be withdrawn; 0: it does not exit.
struct Account {
    uint64 free;
    uint64 locked;
    uint64 bonded;
    uint64 membershipBond;
    uint64 allowance;
    uint40 bondExitAt;
}

/// @notice One lease as its auction granted it (`LeasesGranted`); proved against the auction's root.
/// @param auctionId auction that granted it.
/// @param index number of the lease in its auction.
/// @param seller region that delivers.
/// @param buyer region that pays.
/// @param lots number of lots, of `lotMbps` each.
/// @param before lots of the same ask that earlier leases took (c).
/// @param buyerPrice u: what the buyer pays.
/// @param sellerPrice r: what the seller gets.
/// @param bondShare part of the ask's bond that secures this lease, in price units.
/// @param bid index of the bid.
/// @param ask index of the ask.
/// @param sellerByAgent whether the agent's key committed the ask.
/// @param buyerByAgent whether the agent's key committed the bid.
/// @param start Unix second.
/// @param slots term in slots of 60 s.
/// @param lotMbps size of one lot in Mbit/s.
/// @param price P: the clearing price.
/// @param week week in which the auction was opened, whose budgets pay.
struct Lease {
    AuctionId auctionId;
    uint16 index;
    RegionId seller;
    RegionId buyer;
    uint32 lots;
    uint32 before;
    Price buyerPrice;
    Price sellerPrice;
    uint64 bondShare;
    uint16 bid;
    uint16 ask;
    bool sellerByAgent;
    bool buyerByAgent;
    uint40 start;
    uint16 slots;
    uint24 lotMbps;
    Price price;
    uint16 week;
}

/// @notice Cumulative receipt of a lease that both agents sign (EIP-712).
/// @param leaseId the lease.
/// @param epochs metering epochs of 10 s that it covers, from the lease's start.
/// @param available seconds of them in which the lease's own interface met its bounds.
/// @param packetsToBuyer counted by the buyer.
/// @param bytesToBuyer inner IP bytes, counted by the buyer.
/// @param packetsToSeller counted by the seller.
/// @param bytesToSeller inner IP bytes, counted by the seller.
/// @param worstRttMicros longest round-trip time of an epoch, in microseconds.
/// @param worstLossPpm highest loss of an epoch, in parts per million.
/// @param release whether the lease ends after these epochs.
/// @param previous hash of the previous receipt; 0: the first.
struct Receipt {
    LeaseId leaseId;
    uint32 epochs;
    uint32 available;
    uint64 packetsToBuyer;
    uint64 bytesToBuyer;
    uint64 packetsToSeller;
    uint64 bytesToSeller;
    uint32 worstRttMicros;
    uint32 worstLossPpm;
    bool release;
    bytes32 previous;
}

/// @notice What was posted about a lease that is not settled yet.
/// @param closesAt Unix second from which anyone can settle; 0: nothing is posted.
/// @param epochs of the latest posted receipt.
/// @param available seconds of the latest posted receipt.
/// @param receiptPosted whether a receipt is posted.
/// @param sellerPosted whether the seller posted a receipt or claim.
/// @param buyerPosted whether the buyer posted a receipt or claim.
/// @param sellerClaimed whether the seller posted a claim.
/// @param buyerClaimed whether the buyer posted a claim.
/// @param sellerClaim available seconds that the seller claims.
/// @param buyerClaim available seconds that the buyer claims.
struct Evidence {
    uint40 closesAt;
    uint32 epochs;
    uint32 available;
    bool receiptPosted;
    bool sellerPosted;
    bool buyerPosted;
    bool sellerClaimed;
    bool buyerClaimed;
    uint32 sellerClaim;
    uint32 buyerClaim;
}

/// @notice How a lease settled. Times are seconds of the lease, amounts are price units.
/// @param end E: second at which it ended.
/// @param lower a: available seconds that the seller is paid for.
/// @param upper b: available seconds that the buyer pays for; b − a is in dispute.
/// @param failed f: seconds that were not delivered.
/// @param voided V: seconds that no receipt and no claim covers.
/// @param sellerGets R.
/// @param budgetPays Bp.
/// @param buyerPays Pb.
/// @param slash part of the bond that the seller loses.
/// @param fee credit fee that the seller pays.
/// @param delivered x: credit in micro-units, before decay and weight.
/// @param notDelivered y: failed credit in micro-units, before decay and weight.
struct Settlement {
    uint32 end;
    uint32 lower;
    uint32 upper;
    uint32 failed;
    uint32 voided;
    uint64 sellerGets;
    uint64 budgetPays;
    uint64 buyerPays;
    uint64 slash;
    uint64 fee;
    uint128 delivered;
    uint128 notDelivered;
}

/// @notice Status of a lease, computed from facts and the clock and never stored.
///
/// | status   | begins with      | ends with                                                                   |
/// |----------|------------------|-----------------------------------------------------------------------------|
/// | Granted  | clear            | the start, or a co-signed release                                           |
/// | Running  | the start        | the end of the term, or a co-signed release                                 |
/// | Ended    | the end          | the last receipt (Settled); other evidence (Disputed); 7 days (Settled)     |
/// | Disputed | first evidence   | both claims, the last receipt, or 24 h (Settled)                            |
/// | Settled  | the settlement   | never                                                                       |
enum LeaseStatus {
    Granted,
    Running,
    Ended,
    Disputed,
    Settled
}

/// @notice The pool that budgets are paid from, in price units.
/// @param pool the whole pool.
/// @param reserved part of it that is reserved for the budgets of open orders and leases.
/// @param week the current week, counted from 1970.
/// @param poolStart pool less reserved at the first use of `week`: what its budgets share.
struct PoolView {
    uint64 pool;
    uint64 reserved;
    uint16 week;
    uint64 poolStart;
}

/// @notice Constants of a deployment.
/// @param priceUnit token base units in a price unit, used only when tokens move; 1 to 2^40 − 1.
/// @param creditFee price units for the credit of a whole reference lease; at least 1.
/// @param fullBond membership bond at which a region's settlements have full weight, in price units; at least 1.
struct EscrowConstants {
    uint64 priceUnit;
    uint64 creditFee;
    uint64 fullBond;
}

/// @title LeaseEscrow: accounts, leases, settlement, pool and budgets
/// @notice All amounts are price units. Money leaves only by a call of a region's treasury, to that treasury (INV-2).
interface ILeaseEscrow {
    /// @notice Tokens were paid into a region's free balance.
    /// @param regionId the region.
    /// @param from address that paid.
    /// @param units amount in price units.
    event Deposited(RegionId indexed regionId, address indexed from, uint64 units);

    /// @notice A treasury withdrew from its region's free balance.
    /// @param regionId the region.
    /// @param treasury address that got the tokens.
    /// @param units amount in price units.
    event Withdrawn(RegionId indexed regionId, address indexed treasury, uint64 units);

    /// @notice A treasury set the allowance of its agent's key.
    /// @param regionId the region.
    /// @param units amount in price units; 0: the key can spend nothing.
    event AllowanceSet(RegionId indexed regionId, uint64 units);

    /// @notice A treasury moved free balance into the membership bond.
    /// @param regionId the region.
    /// @param units amount in price units.
    event BondPosted(RegionId indexed regionId, uint64 units);

    /// @notice A membership bond exits and has no weight from now on.
    /// @param regionId the region.
    /// @param units the whole bond, in price units.
    /// @param exitAt Unix second from which it can be withdrawn.
    event BondExitStarted(RegionId indexed regionId, uint64 units, uint40 exitAt);

    /// @notice A membership bond was moved into the free balance.
    /// @param regionId the region.
    /// @param units the whole bond, in price units.
    event BondWithdrawn(RegionId indexed regionId, uint64 units);

    /// @notice The pool was used for the first time in a week.
    /// @param week week, counted from 1970.
    /// @param poolStart what the week's budgets share, in price units.
    event WeekStarted(uint16 indexed week, uint64 poolStart);

    /// @notice A region takes part in the budgets of a week.
    /// @param regionId the region.
    /// @param week week, counted from 1970.
    /// @param score its closing score, 0 to 1000.
    event BudgetRegistered(RegionId indexed regionId, uint16 indexed week, uint16 score);

    /// @notice A receipt was posted that does not settle the lease at once.
    /// @param leaseId the lease.
    /// @param by region whose agent or treasury posted it; 0: another address.
    /// @param receipt the receipt.
    /// @param closesAt Unix second from which anyone can settle.
    event ReceiptPosted(LeaseId indexed leaseId, RegionId indexed by, Receipt receipt, uint40 closesAt);

    /// @notice A party claimed how many seconds were available.
    /// @param leaseId the lease.
    /// @param by region that claims.
    /// @param available claimed seconds.
    /// @param closesAt Unix second from which anyone can settle.
    event ClaimPosted(LeaseId indexed leaseId, RegionId indexed by, uint32 available, uint40 closesAt);

    /// @notice A lease was settled.
    /// @param leaseId the lease.
    /// @param seller region that delivered.
    /// @param buyer region that paid.
    /// @param lease the lease as granted.
    /// @param settlement who pays and gets what.
    event LeaseSettled(
        LeaseId indexed leaseId,
        RegionId indexed seller,
        RegionId indexed buyer,
        Lease lease,
        Settlement settlement
    );

    /// @notice The caller is not the auction contract of this escrow.
    /// @param caller sender of the call.
    error OnlyAuction(address caller);

    /// @notice The caller is not the region's treasury.
    /// @param regionId the region.
    /// @param caller sender of the call.
    error NotTreasury(RegionId regionId, address caller);

    /// @notice The region is neither the seller nor the buyer of the lease.
    /// @param leaseId the lease.
    /// @param regionId the region.
    error NotAParty(LeaseId leaseId, RegionId regionId);

    /// @notice The caller is neither the region's agent nor its treasury.
    /// @param regionId the region.
    /// @param caller sender of the call.
    error NotAuthorised(RegionId regionId, address caller);

    /// @notice No region has this number.
    /// @param regionId the number.
    error UnknownRegion(RegionId regionId);

    /// @notice An amount, a bond or a constant of the deployment is 0, or the price unit is 2^40 or more.
    error ZeroAmount();

    /// @notice The region's free balance is too small.
    /// @param regionId the region.
    /// @param needed what the call needs, in price units.
    /// @param free the free balance, in price units.
    error BalanceShort(RegionId regionId, uint256 needed, uint256 free);

    /// @notice The rest of the agent key's allowance is too small.
    /// @param regionId the region.
    /// @param needed what the call needs, in price units.
    /// @param left the rest of the allowance, in price units.
    error AllowanceShort(RegionId regionId, uint256 needed, uint256 left);

    /// @notice The escrow would hold more than 2^64 − 1 price units.
    /// @param held what it holds, in price units.
    /// @param added what was to be added, in price units.
    error LedgerFull(uint256 held, uint256 added);

    /// @notice The token moved another amount than it was told to.
    /// @param expected amount in token base units.
    /// @param received amount in token base units.
    error TokenAmountWrong(uint256 expected, uint256 received);

    /// @notice The settlement token's address has no code.
    /// @param token the address.
    error TokenWithoutCode(address token);

    /// @notice The membership bond exits already.
    /// @param regionId the region.
    /// @param exitAt Unix second from which it can be withdrawn.
    error BondExiting(RegionId regionId, uint40 exitAt);

    /// @notice The exit of the membership bond was not started.
    /// @param regionId the region.
    error BondNotExiting(RegionId regionId);

    /// @notice The membership bond cannot be withdrawn yet.
    /// @param regionId the region.
    /// @param exitAt Unix second from which it can be withdrawn.
    error BondHeldUntil(RegionId regionId, uint40 exitAt);

    /// @notice Budgets can be registered only on the last UTC day of a week.
    /// @param day the current day, in days since 1970.
    error NotLastDayOfWeek(uint256 day);

    /// @notice The region is registered for the week's budgets already.
    /// @param regionId the region.
    /// @param week week, counted from 1970.
    error AlreadyRegistered(RegionId regionId, uint16 week);

    /// @notice The lease is not one that the auction granted, or the proof is wrong.
    /// @param auctionId the auction that the lease names.
    /// @param index number of the lease in its auction.
    error LeaseNotUnderRoot(AuctionId auctionId, uint16 index);

    /// @notice The lease is settled already.
    /// @param leaseId the lease.
    error AlreadySettled(LeaseId leaseId);

    /// @notice The call is not allowed yet.
    /// @param leaseId the lease.
    /// @param from Unix second from which it is.
    error TooEarly(LeaseId leaseId, uint256 from);

    /// @notice The window for evidence is closed.
    /// @param leaseId the lease.
    /// @param closedAt Unix second at which it closed.
    error WindowClosed(LeaseId leaseId, uint256 closedAt);

    /// @notice The receipt is of another lease.
    /// @param leaseId the lease to settle.
    /// @param found the lease that the receipt names.
    error ReceiptOfOtherLease(LeaseId leaseId, LeaseId found);

    /// @notice A value of a receipt or claim is larger than the lease allows.
    /// @param field name of the value.
    /// @param value the value.
    /// @param max largest allowed value.
    error ReceiptOutOfRange(string field, uint256 value, uint256 max);

    /// @notice The receipt covers time that has not passed yet.
    /// @param leaseId the lease.
    /// @param epochs epochs of 10 s that the receipt covers.
    /// @param elapsedSeconds seconds since the lease's start.
    error ReceiptFromFuture(LeaseId leaseId, uint256 epochs, uint256 elapsedSeconds);

    /// @notice A receipt that covers as much or more is posted already.
    /// @param leaseId the lease.
    /// @param epochs epochs that the receipt covers.
    /// @param posted epochs that the posted receipt covers.
    error ReceiptNotLater(LeaseId leaseId, uint256 epochs, uint256 posted);

    /// @notice A signature is not by an agent key that the region had since the lease's start.
    /// @param regionId the region.
    /// @param signer address that signed.
    error WrongSigner(RegionId regionId, address signer);

    /// @notice The region has posted its claim already.
    /// @param leaseId the lease.
    /// @param regionId the region.
    error AlreadyClaimed(LeaseId leaseId, RegionId regionId);

    // Accounts.

    /// @notice Pays into a region's free balance; anyone may, and the tokens come from the caller.
    /// @param regionId the region.
    /// @param units amount in price units, at least 1.
    /// @custom:reverts ZeroAmount · UnknownRegion · LedgerFull · TokenAmountWrong
    function deposit(RegionId regionId, uint64 units) external;

    /// @notice Like `deposit`, with the caller's ERC-2612 permit instead of an earlier approval.
    /// @param regionId the region.
    /// @param units amount in price units, at least 1.
    /// @param deadline last Unix second at which the permit is valid.
    /// @param v of the permit's signature.
    /// @param r of the permit's signature.
    /// @param s of the permit's signature.
    /// @custom:reverts ZeroAmount · UnknownRegion · LedgerFull · TokenAmountWrong
    function depositWithPermit(
        RegionId regionId,
        uint64 units,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external;

    /// @notice Pays out of the region's free balance to the treasury that calls.
    /// @param regionId the region.
    /// @param units amount in price units, at least 1.
    /// @custom:reverts NotTreasury · ZeroAmount · BalanceShort · TokenAmountWrong
    function withdraw(RegionId regionId, uint64 units) external;

    /// @notice Sets the most that orders of the agent's key can hold or spend from now on. 0 stops the key at once, and
    /// what earlier orders give back does not raise it; after any other amount it does.
    /// @param regionId the region.
    /// @param units amount in price units.
    /// @custom:reverts NotTreasury
    function setAllowance(RegionId regionId, uint56 units) external;

    /// @notice Moves free balance into the membership bond.
    /// @param regionId the region.
    /// @param units amount in price units, at least 1.
    /// @custom:reverts NotTreasury · ZeroAmount · BalanceShort · BondExiting
    function postBond(RegionId regionId, uint64 units) external;

    /// @notice Starts the exit of the whole membership bond: it has no weight from now on and can be withdrawn after 56
    /// days.
    /// @param regionId the region.
    /// @custom:reverts NotTreasury · ZeroAmount · BondExiting
    function startBondExit(RegionId regionId) external;

    /// @notice Moves an exited membership bond into the free balance.
    /// @param regionId the region.
    /// @custom:reverts NotTreasury · BondNotExiting · BondHeldUntil
    function finishBondExit(RegionId regionId) external;

    /// @notice Registers a region for the next week's budgets, on the last UTC day of a week; anyone may.
    /// @param regionId the region.
    /// @custom:reverts UnknownRegion · NotLastDayOfWeek · AlreadyRegistered
    function registerBudget(RegionId regionId) external;

    // Leases.

    /// @notice Posts a receipt that both agents signed. One that covers the last epoch, or a release, settles at once.
    /// Any other opens the window of 24 h, or replaces an earlier receipt in it.
    /// @param lease the lease as granted.
    /// @param proof Merkle proof against the auction's root.
    /// @param receipt the receipt.
    /// @param sellerSignature EIP-712 signature of the seller's agent.
    /// @param buyerSignature EIP-712 signature of the buyer's agent.
    /// @custom:reverts LeaseNotUnderRoot · AlreadySettled · TooEarly · WindowClosed · ReceiptOfOtherLease ·
    /// ReceiptOutOfRange · ReceiptFromFuture · ReceiptNotLater · WrongSigner
    function settle(
        Lease memory lease,
        bytes32[] calldata proof,
        Receipt memory receipt,
        bytes calldata sellerSignature,
        bytes calldata buyerSignature
    ) external;

    /// @notice Posts one party's claim of available seconds. The second claim settles at once, on the latest receipt
    /// that is posted: a party that has a later receipt posts it first.
    /// @param lease the lease as granted.
    /// @param proof Merkle proof against the auction's root.
    /// @param regionId region that claims; its agent or treasury calls.
    /// @param available claimed seconds, 0 to the term.
    /// @custom:reverts LeaseNotUnderRoot · AlreadySettled · TooEarly · WindowClosed · NotAParty · NotAuthorised ·
    /// AlreadyClaimed · ReceiptOutOfRange
    function claim(Lease memory lease, bytes32[] calldata proof, RegionId regionId, uint32 available) external;

    /// @notice Settles a lease after its window, or 7 days after its end if nothing was posted; anyone may.
    /// @param lease the lease as granted.
    /// @param proof Merkle proof against the auction's root.
    /// @custom:reverts LeaseNotUnderRoot · AlreadySettled · TooEarly
    function settleAfterWindow(Lease memory lease, bytes32[] calldata proof) external;

    // Views.

    /// @notice A region's money.
    /// @param regionId the region.
    /// @return found all zero if nothing was ever paid in.
    function account(RegionId regionId) external view returns (Account memory found);

    /// @notice The pool that budgets are paid from.
    /// @return found as of its last use.
    function pool() external view returns (PoolView memory found);

    /// @notice A region's priority budget of a week.
    /// @param regionId the region.
    /// @param week week, counted from 1970.
    /// @return score the score registered for the week, 0 to 1000; 0: not registered.
    /// @return budget in price units.
    /// @return used part of it that is reserved or spent, in price units.
    function budgetOf(RegionId regionId, uint16 week) external view returns (uint16 score, uint64 budget, uint64 used);

    /// @notice The week of a time. Weeks begin on Mondays, 00:00 UTC.
    /// @param timestamp Unix second.
    /// @return week counted from 1970.
    function weekOf(uint256 timestamp) external pure returns (uint16 week);

    /// @notice The id of a lease.
    /// @param auctionId auction that granted it.
    /// @param index number of the lease in its auction.
    /// @return leaseId keccak256(abi.encode(auctionId, index)).
    function leaseIdOf(AuctionId auctionId, uint16 index) external pure returns (LeaseId leaseId);

    /// @notice The Merkle root of an auction's leases.
    /// @param auctionId the auction.
    /// @return root 0: no leases.
    function leaseRootOf(AuctionId auctionId) external view returns (bytes32 root);

    /// @notice The status of a lease as of the block's time; whether it was granted is not checked.
    /// @param lease the lease as granted.
    /// @return status the status.
    function statusOf(Lease memory lease) external view returns (LeaseStatus status);

    /// @notice Whether a lease is settled.
    /// @param auctionId auction that granted it.
    /// @param index number of the lease in its auction.
    /// @return settled true if it is.
    function isSettled(AuctionId auctionId, uint16 index) external view returns (bool settled);

    /// @notice What is posted about a lease that is not settled.
    /// @param leaseId the lease.
    /// @return found all zero if nothing is posted.
    function evidenceOf(LeaseId leaseId) external view returns (Evidence memory found);

    /// @notice The EIP-712 hash of a receipt, which the agents sign.
    /// @param receipt the receipt.
    /// @return digest the hash.
    function receiptDigest(Receipt memory receipt) external view returns (bytes32 digest);

    /// @notice The constants of this deployment.
    /// @return values all of them.
    function constants() external view returns (EscrowConstants memory values);

    /// @notice The settlement token.
    /// @return tokenAddress its address.
    function token() external view returns (address tokenAddress);

    /// @notice The auction contract, the only one that can move money for orders.
    /// @return auctionAddress its address.
    function auction() external view returns (address auctionAddress);

    /// @notice The register of regions.
    /// @return membershipAddress its address.
    function membership() external view returns (address membershipAddress);

    /// @notice The contract that settlements are recorded in.
    /// @return reputationAddress its address.
    function reputation() external view returns (address reputationAddress);
}
