// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @notice A region's money, in price units.
/// @param allowance what orders of the agent's key may still take; what they give back raises it again.
/// @param bondExitAt second from which a membership bond on its way out may leave; 0: it stays, and weighs.
struct Account {
    uint64 free;
    uint64 locked;
    uint64 bonded;
    uint64 membershipBond;
    uint64 allowance;
    uint40 bondExitAt;
}

/// @notice One lease as its auction granted it (`LeasesGranted`); proved against the auction's root.
/// @param lots of `lotMbps` each. @param before lots of the same ask filled before this lease (c).
/// @param buyerPrice u, `sellerPrice` r, `price` P: price units per lot and slot.
/// @param bondShare of the ask's bond that stands behind this lease.
/// @param start unix second. @param slots term in slots of 60 s. @param week of the auction's opening.
struct Lease {
    uint32 auctionId;
    uint16 index;
    uint32 seller;
    uint32 buyer;
    uint32 lots;
    uint32 before;
    uint32 buyerPrice;
    uint32 sellerPrice;
    uint64 bondShare;
    uint16 bid;
    uint16 ask;
    bool sellerByAgent;
    bool buyerByAgent;
    uint40 start;
    uint16 slots;
    uint24 lotMbps;
    uint32 price;
    uint16 week;
}

/// @notice Cumulative statement about a lease that both agents sign (EIP-712).
/// @param epochs metering epochs of 10 s that it covers, from the lease's start.
/// @param available seconds of them in which the lease's own interface met its bounds.
/// @param bytesToBuyer counted by the buyer, inner IP bytes; the others likewise by who receives.
/// @param release the lease ends with these epochs.
/// @param previous hash of the receipt before it, 0 for the first.
struct Receipt {
    bytes32 leaseId;
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
/// @param closesAt second from which anyone settles; 0: nothing posted.
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

/// @notice How a lease settled; every figure of the rule.
/// @param end second of the lease at which it ended (E). @param lower a, @param upper b, @param failed f, @param void_ V.
/// @param sellerGets R, `budgetPays` Bp, `buyerPays` Pb, then slash and credit fee.
/// @param delivered x, @param notDelivered y: credit, in micro-units, before decay and weights.
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

/// @notice Computed from facts and the clock, never stored.
///
/// | status   | from                             | what moves it on                                            |
/// |----------|----------------------------------|-------------------------------------------------------------|
/// | Granted  | clear                            | its start, or a co-signed release                           |
/// | Running  | start                            | its end, or a co-signed release                             |
/// | Ended    | end                              | a last receipt settles; other evidence opens the window; 7 days |
/// | Disputed | first evidence                   | both claims, a last receipt, or 24 h                        |
/// | Settled  | settlement                       | nothing                                                     |
enum LeaseStatus {
    Granted,
    Running,
    Ended,
    Disputed,
    Settled
}

/// @param pool all of it; of which `reserved` for budgets of open leases and orders.
/// @param poolStart pool less reserved at the first touch of `week`.
struct PoolView {
    uint64 pool;
    uint64 reserved;
    uint16 week;
    uint64 poolStart;
}

/// @notice Constants of a deployment.
/// @param priceUnit token base units in a price unit, applied only where tokens move.
/// @param creditFee price units for a whole reference lease of credit.
/// @param fullBond membership bond at which a region's word has full weight.
struct EscrowConstants {
    uint64 priceUnit;
    uint64 creditFee;
    uint64 fullBond;
}

/// @title LeaseEscrow: accounts, leases, settlement, pool and budgets
/// @notice All amounts are price units. Nothing is ever pushed: what leaves goes to a treasury by its own call (INV-2).
interface ILeaseEscrow {
    event Deposited(uint32 indexed regionId, address indexed from, uint64 units);
    event Withdrawn(uint32 indexed regionId, address indexed treasury, uint64 units);
    event AllowanceSet(uint32 indexed regionId, uint64 units);
    event BondPosted(uint32 indexed regionId, uint64 units);
    event BondExitStarted(uint32 indexed regionId, uint64 units, uint40 exitAt);
    event BondWithdrawn(uint32 indexed regionId, uint64 units);
    event WeekStarted(uint16 indexed week, uint64 poolStart);
    event BudgetRegistered(uint32 indexed regionId, uint16 indexed week, uint16 score);
    /// @param by region whose agent or treasury posted it, 0: somebody else.
    event ReceiptPosted(bytes32 indexed leaseId, uint32 indexed by, Receipt receipt, uint40 closesAt);
    event ClaimPosted(bytes32 indexed leaseId, uint32 indexed by, uint32 available, uint40 closesAt);
    event LeaseSettled(
        bytes32 indexed leaseId,
        uint32 indexed seller,
        uint32 indexed buyer,
        Lease lease,
        Settlement settlement
    );

    error OnlyAuction(address caller);
    error NotTreasury(uint32 regionId, address caller);
    error NotAParty(bytes32 leaseId, uint32 regionId);
    error NotAuthorised(uint32 regionId, address caller);
    error UnknownRegion(uint32 regionId);
    error ZeroAmount();
    error BalanceShort(uint32 regionId, uint256 needed, uint256 free);
    error AllowanceShort(uint32 regionId, uint256 needed, uint256 left);
    error LedgerFull(uint256 held, uint256 added);
    /// @notice The token took a fee, paid too much, or lied.
    error TokenAmountWrong(uint256 expected, uint256 received);
    error TokenWithoutCode(address token);
    error BondExiting(uint32 regionId, uint40 exitAt);
    error BondNotExiting(uint32 regionId);
    error BondHeldUntil(uint32 regionId, uint40 exitAt);
    error NotLastDayOfWeek(uint256 day);
    error AlreadyRegistered(uint32 regionId, uint16 week);
    error LeaseNotUnderRoot(uint32 auctionId, uint16 index);
    error AlreadySettled(bytes32 leaseId);
    error TooEarly(bytes32 leaseId, uint256 from);
    error WindowClosed(bytes32 leaseId, uint256 closedAt);
    error ReceiptOfOtherLease(bytes32 leaseId, bytes32 found);
    error ReceiptOutOfRange(string field, uint256 value, uint256 max);
    error ReceiptFromFuture(bytes32 leaseId, uint256 epochs, uint256 elapsedSeconds);
    error ReceiptNotLater(bytes32 leaseId, uint256 epochs, uint256 posted);
    error WrongSigner(uint32 regionId, address signer);
    error AlreadyClaimed(bytes32 leaseId, uint32 regionId);

    // Accounts.

    /// @notice Anyone may fund a region; the tokens come from the caller.
    /// @custom:reverts ZeroAmount · UnknownRegion · LedgerFull · TokenAmountWrong
    function deposit(uint32 regionId, uint64 units) external;

    function depositWithPermit(uint32 regionId, uint64 units, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice To the treasury that calls.
    /// @custom:reverts NotTreasury · ZeroAmount · BalanceShort · TokenAmountWrong
    function withdraw(uint32 regionId, uint64 units) external;

    /// @notice Most that orders of the agent's key may hold or spend from now on; 0 stops it at once, and what earlier
    /// orders give back does not raise it. (Lowered to anything else, what is out still comes back on top.)
    /// @custom:reverts NotTreasury
    function setAllowance(uint32 regionId, uint56 units) external;

    /// @notice From the free balance into the membership bond.
    /// @custom:reverts NotTreasury · ZeroAmount · BalanceShort · BondExiting
    function postBond(uint32 regionId, uint64 units) external;

    /// @notice The whole bond weighs nothing from now on and may leave after 56 days.
    /// @custom:reverts NotTreasury · ZeroAmount · BondExiting
    function startBondExit(uint32 regionId) external;

    /// @notice Into the free balance.
    /// @custom:reverts NotTreasury · BondNotExiting · BondHeldUntil
    function finishBondExit(uint32 regionId) external;

    /// @notice On the last UTC day of a week, by anyone: a region's part in the next week's budgets.
    /// @custom:reverts UnknownRegion · NotLastDayOfWeek · AlreadyRegistered
    function registerBudget(uint32 regionId) external;

    // Leases.

    /// @notice Posts a receipt that both signed. One that covers the last epoch, or a release, settles at once; any
    /// other opens the window of 24 h, or replaces an earlier one in it.
    /// @custom:reverts LeaseNotUnderRoot · AlreadySettled · TooEarly · WindowClosed · ReceiptOfOtherLease · ReceiptOutOfRange · ReceiptFromFuture · ReceiptNotLater · WrongSigner
    function settle(
        Lease memory lease,
        bytes32[] calldata proof,
        Receipt memory receipt,
        bytes calldata sellerSignature,
        bytes calldata buyerSignature
    ) external;

    /// @notice One side's claim of available seconds; both claims settle at once, on the latest receipt posted by then:
    /// whoever holds a later one posts it first.
    /// @custom:reverts LeaseNotUnderRoot · AlreadySettled · TooEarly · WindowClosed · NotAParty · NotAuthorised · AlreadyClaimed · ReceiptOutOfRange
    function claim(Lease memory lease, bytes32[] calldata proof, uint32 regionId, uint32 available) external;

    /// @notice By anyone: after the window, or 7 days after the end if nothing was posted.
    /// @custom:reverts LeaseNotUnderRoot · AlreadySettled · TooEarly
    function settleAfterWindow(Lease memory lease, bytes32[] calldata proof) external;

    // Views.

    function account(uint32 regionId) external view returns (Account memory);
    function pool() external view returns (PoolView memory);
    /// @notice The score that is registered for a week, the priority budget of it, and what of that is used.
    function budgetOf(uint32 regionId, uint16 week) external view returns (uint16 score, uint64 budget, uint64 used);
    function weekOf(uint256 timestamp) external pure returns (uint16);
    function leaseIdOf(uint32 auctionId, uint16 index) external pure returns (bytes32);
    function leaseRootOf(uint32 auctionId) external view returns (bytes32);
    function statusOf(Lease memory lease) external view returns (LeaseStatus);
    function isSettled(uint32 auctionId, uint16 index) external view returns (bool);
    function evidenceOf(bytes32 leaseId) external view returns (Evidence memory);
    /// @notice The EIP-712 hash that agents sign.
    function receiptDigest(Receipt memory receipt) external view returns (bytes32);
    function constants() external view returns (EscrowConstants memory);
    function token() external view returns (address);
    function auction() external view returns (address);
    function membership() external view returns (address);
    function reputation() external view returns (address);
}

/// @title The market's side of the escrow: callable by the CapacityAuction that created it, and by nobody else.
interface IMarketEscrow {
    /// @notice Takes an opening's deposit; the first touch of a week fixes what its budgets share.
    function takeDeposit(uint32 regionId, uint64 units, bool byAgent) external;

    function takeBond(uint32 regionId, uint64 units, bool byAgent) external;

    /// @notice A bid is revealed: its bond comes back, its whole price is locked; `need` of the budget is reserved if it
    /// is covered.
    /// @return covered whether the budget bears the boost (false for need 0).
    function lockBid(
        uint32 regionId,
        uint64 bond,
        uint256 amount,
        bool byAgent,
        uint16 week,
        uint256 need
    ) external returns (bool covered);

    /// @notice An ask is revealed: its bond stays as performance bond.
    function bondAsk(uint32 regionId, uint64 bond) external;

    /// @notice An auction is over: bonds never revealed go to the pool; the deposit goes back or with them.
    /// @param root of the leases, 0 if there are none.
    function closeAuction(
        uint32 auctionId,
        uint32 opener,
        bool byAgent,
        uint64 deposit,
        bool depositBack,
        uint64 lostBonds,
        bytes32 root
    ) external;

    /// @notice Frees what a bid locked beyond its fill, and gives back what its boost did not need.
    function releaseBid(uint32 regionId, uint64 units, bool byAgent, uint16 week, uint64 budgetBack) external;

    /// @notice Frees the bond share of lots that an ask did not sell.
    function releaseAsk(uint32 regionId, uint64 units, bool byAgent) external;
}
