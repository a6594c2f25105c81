// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Place} from "./IMembership.sol";

enum EventKind {
    Disaster,
    Rollout,
    Surge,
    Custom
}

enum Side {
    Bid,
    Ask
}

enum Profile {
    Urgent,
    Normal
}

/// @notice Computed from blocks and facts, never stored.
///
/// | phase     | from                                               | what moves it on                          |
/// |-----------|----------------------------------------------------|-------------------------------------------|
/// | Commit    | open                                               | block.number > openBlock + n              |
/// | Reveal    | then                                               | every order revealed, or > openBlock + 2n |
/// | Clear     | then                                               | clear (certificate), or cancel            |
/// | Cleared   | clear                                              | nothing                                   |
/// | Cancelled | cancel, once block.number > openBlock + 2n + clearBlocks | nothing                             |
enum Phase {
    Commit,
    Reveal,
    Clear,
    Cleared,
    Cancelled
}

/// @notice What the opener fixes for good.
/// @param earlier 0, or an earlier auction of the same opener: the new leases join its mesh.
/// @param fabric both ends of every lease can reach each other on it.
/// @param cosine of the cell's radius as an angle at the earth's centre, scaled by 10^9.
/// @param attributes every participant must have all of these.
/// @param leastScore sellers need the deployment's one constant score.
/// @param latencyBoundMicros round trip that a lease's interface must keep, in microseconds.
/// @param lotMbps Mbit/s of one lot. @param slots the term, in slots of 60 s.
/// @param earliestStart unix second; leases start at it or 10 s after clear, whichever is later.
/// @param priceCap most that an order may say, in price units per lot and slot.
struct AuctionTerms {
    EventKind kind;
    uint32 earlier;
    uint8 fabric;
    int32 cosine;
    uint32 attributes;
    bool requiresMinScore;
    uint32 latencyBoundMicros;
    uint24 lotMbps;
    uint16 slots;
    uint40 earliestStart;
    uint32 priceCap;
    Profile profile;
}

/// @notice The opening of a sealed order: what `reveal` shows.
/// @param index number of the order in its auction, by commit.
/// @param boostBps of a bid: at most 2,500 · score / 1000; 0 for an ask.
struct SealedOrder {
    uint16 index;
    uint32 regionId;
    Side side;
    uint32 price;
    uint32 lots;
    uint16 boostBps;
    uint64 bond;
    bytes32 salt;
}

/// @param bps boost of a bid, handicap of an ask.
/// @param effectivePrice E, scaled by 10^4.
/// @param commitment while not revealed: its hash's upper 240 bits.
struct OrderView {
    uint16 index;
    bool revealed;
    bool collected;
    bool byAgent;
    uint16 score;
    bytes32 commitment;
    Side side;
    uint32 regionId;
    uint32 price;
    uint32 lots;
    uint16 bps;
    uint64 effectivePrice;
    uint64 bond;
}

/// @param bondsHeld bonds of orders that are not revealed.
/// @param marginalBid last bid with a fill, 65535 where there was no trade or no clear yet; `marginalAsk` likewise.
/// @param scaledPrice p, scaled by 10^4. @param price P = ⌈p / 10^4⌉.
struct AuctionView {
    uint32 id;
    uint32 mesh;
    uint32 opener;
    EventKind kind;
    uint8 fabric;
    int32 cosine;
    Place place;
    uint32 attributes;
    uint16 minScore;
    uint32 latencyBoundMicros;
    uint24 lotMbps;
    uint16 slots;
    uint40 earliestStart;
    uint32 priceCap;
    uint40 openBlock;
    uint40 openedAt;
    uint16 phaseBlocks;
    uint64 lastCommitBlock;
    uint64 lastRevealBlock;
    uint64 cancelFromBlock;
    Phase phase;
    uint16 orders;
    uint16 revealed;
    uint64 bondsHeld;
    uint16 marginalBid;
    uint16 marginalAsk;
    uint64 scaledPrice;
    uint32 price;
    uint32 lotsTraded;
}

/// @notice Constants of a deployment.
/// @param urgentBlocks n of the profile; never below two full rotations of the validators.
/// @param clearBlocks after the reveal phase; then anyone may cancel.
/// @param minBond least bond of an order; `openDeposit` of an opening, in price units.
/// @param leastScore the one score that an opener may ask of sellers, 0..1000.
/// @param widestCosine of the least radius: a cell cannot be smaller.
struct AuctionConstants {
    uint16 urgentBlocks;
    uint16 normalBlocks;
    uint32 clearBlocks;
    uint64 minBond;
    uint64 openDeposit;
    uint16 minScore;
    int32 maxCosine;
}

/// @title CapacityAuction: sealed-bid, two-sided, divisible, uniform price, cleared by certificate
/// @notice docs/PROTOCOL.md has the rules. Every call is by the region's agent key (within its allowance) or treasury,
/// except reveal, clear, cancel, collect and poke, which are anyone's.
///
/// | attack                                              | what refuses it, or what it costs                      |
/// |-----------------------------------------------------|--------------------------------------------------------|
/// | a copied commitment, a replay across auctions, contracts or chains | WrongOpening                            |
/// | brute force of an order with few possible figures   | the salt's 32 bytes; a guess is a WrongOpening         |
/// | a second order, a second opening                    | AlreadyOrdered, AlreadyRevealed                        |
/// | a ladder of commits, a last revealer that walks off | every bond not revealed, a fifth of its order at least |
/// | spam of commits                                     | AlreadyOrdered, BondTooSmall, BookFull                 |
/// | a wrong certificate                                 | CertificateWrong                                       |
/// | figures that would overflow                         | OutOfRange, BondTooSmall, LeaseEscrow.LedgerFull       |
/// | a wash trade inside an organisation                 | OtherSide                                              |
/// | a wash trade in a pair or a clique                  | credit fees and bonds (IReputation), budgets of a week |
/// | a seller of air, or of one line twice               | its bond, lease by lease (ILeaseEscrow)                |
/// | a censoring proposer                                | phases of two rotations of the validators              |
/// | a timestamp at an edge                              | phases count blocks; a week is that of the opening     |
/// | a wallet that lost its disk                         | nothing is lost: its salt is derived from its key      |
/// | a token that re-enters, takes a fee, refuses or lies| ReentrancyGuardReentrantCall, LeaseEscrow.TokenAmountWrong, SafeERC20FailedOperation |
/// | an admin with a bad intent                          | nothing here is restricted, paused or changeable       |
interface ICapacityAuction {
    /// @param place the opener's attested place: the middle of the cell.
    event AuctionOpened(
        uint32 indexed auctionId,
        uint32 indexed mesh,
        uint32 indexed opener,
        AuctionTerms terms,
        Place place,
        uint40 openedAt,
        uint16 phaseBlocks,
        bool byAgent
    );
    /// @param score the region's closing score of yesterday, 0..1000.
    event OrderCommitted(
        uint32 indexed auctionId,
        uint32 indexed regionId,
        uint16 index,
        Side side,
        uint64 bond,
        uint16 score,
        bool byAgent,
        bytes32 commitment
    );
    /// @notice Side and bond stand in `OrderCommitted`.
    /// @param bps boost granted to a bid (0 if its budget was short), handicap of an ask.
    event OrderRevealed(
        uint32 indexed auctionId,
        uint32 indexed regionId,
        uint16 index,
        uint32 price,
        uint32 lots,
        uint16 bps
    );
    /// @param reason the error that `reveal` would have given, encoded.
    event RevealSkipped(uint32 indexed auctionId, uint16 index, bytes reason);
    /// @param bid marginal bid, 65535: no trade. @param lostBonds of orders never revealed, now in the pool.
    event AuctionCleared(
        uint32 indexed auctionId,
        uint16 bid,
        uint16 ask,
        uint32 lotsTraded,
        uint64 scaledPrice,
        uint64 lostBonds,
        bool depositReturned
    );
    /// @notice All leases of an auction, one word each: from the lowest bit
    /// `bid index 9 · ask index 9 · seller by agent 1 · buyer by agent 1 · bond share 64 · r 32 · u 32 · c 20 · lots 20 ·
    /// buyer 32 · seller 32`. Lease i has `keccak256(abi.encode(auctionId, i))` for its id.
    /// @param root Merkle root over `keccak256(abi.encode(i, terms, word))`, pairs sorted, an odd one carried up;
    /// terms = `start << 88 | slots << 72 | lotMbps << 48 | price << 16 | week`.
    event LeasesGranted(
        uint32 indexed auctionId,
        uint32 indexed mesh,
        bytes32 root,
        uint40 start,
        uint16 slots,
        uint24 lotMbps,
        uint32 price,
        uint16 week,
        uint256[] leases
    );
    event AuctionCancelled(uint32 indexed auctionId, uint64 lostBonds, bool depositReturned);
    /// @param fill lots won. @param released what became free. @param budgetBack of the reserved budget.
    event OrderCollected(
        uint32 indexed auctionId,
        uint32 indexed regionId,
        uint16 index,
        uint32 fill,
        uint64 released,
        uint64 budgetBack
    );

    error UnknownAuction(uint32 auctionId);
    error UnknownOrder(uint32 auctionId, uint16 index);
    error WrongPhase(uint32 auctionId, Phase found, Phase needed);
    error NotAuthorised(uint32 regionId, address caller);
    error NotActive(uint32 regionId);
    error NotOnFabric(uint32 regionId, uint8 fabric);
    error NotInCell(uint32 regionId, int256 cosine, int256 minCosine);
    error AttributesMissing(uint32 regionId, uint32 missing);
    error ScoreTooLow(uint32 regionId, uint256 score, uint256 minScore);
    error AlreadyOrdered(uint32 auctionId, uint32 regionId);
    error OtherSide(uint32 auctionId, uint32 organisation);
    error BondTooSmall(uint256 bond, uint256 minBond);
    error BoostTooHigh(uint256 boostBps, uint256 maxBoostBps);
    error BookFull(uint32 auctionId);
    error WrongOpening(uint32 auctionId, uint16 index);
    error AlreadyRevealed(uint32 auctionId, uint16 index);
    error NotRevealed(uint32 auctionId, uint16 index);
    error AlreadyCollected(uint32 auctionId, uint16 index);
    error AlreadyCleared(uint32 auctionId);
    error AlreadyCancelled(uint32 auctionId);
    error CancelTooEarly(uint32 auctionId, uint256 fromBlock);
    error CertificateWrong(uint32 auctionId, uint16 bid, uint16 ask);
    error NotOpener(uint32 auctionId, uint32 regionId);
    error EscrowOfOtherAuction(address escrow);
    error OutOfRange(string field, int256 value, int256 min, int256 max);

    /// @custom:reverts NotAuthorised · NotActive · NotOnFabric · OutOfRange · NotOpener · LeaseEscrow.BalanceShort · LeaseEscrow.AllowanceShort
    function open(uint32 regionId, AuctionTerms calldata terms) external returns (uint32 auctionId);

    /// @notice Seals an order until the reveal phase.
    /// @param commitment binds chain, contract, auction and region (`commitmentOf`).
    /// @param bond in price units, from the free balance; a larger one hides the size: 5 · bond ≥ price · lots · slots.
    /// @return index of the order in its auction.
    /// @custom:reverts UnknownAuction · WrongPhase · NotAuthorised · NotActive · NotOnFabric · NotInCell · AttributesMissing · ScoreTooLow · AlreadyOrdered · OtherSide · BondTooSmall · BookFull · LeaseEscrow.BalanceShort · LeaseEscrow.AllowanceShort
    function commit(
        uint32 auctionId,
        uint32 regionId,
        Side side,
        uint64 bond,
        bytes32 commitment
    ) external returns (uint16 index);

    /// @notice By anyone who holds the opening.
    /// @custom:reverts UnknownAuction · UnknownOrder · WrongPhase · AlreadyRevealed · WrongOpening · OutOfRange · BoostTooHigh · BondTooSmall · LeaseEscrow.BalanceShort · LeaseEscrow.AllowanceShort
    function reveal(uint32 auctionId, SealedOrder memory order) external;

    /// @notice Reveals what it can; what fails is named by `RevealSkipped` and may be tried again while the phase lasts.
    function revealMany(uint32 auctionId, SealedOrder[] calldata orders) external returns (uint256 revealed);

    /// @notice Clears by naming the last bid and the last ask that trade; (65535, 65535) where nothing does.
    /// @custom:reverts UnknownAuction · WrongPhase · AlreadyCleared · AlreadyCancelled · CertificateWrong
    function clear(uint32 auctionId, uint16 bid, uint16 ask) external;

    /// @notice Releases everything if nobody cleared in time; bonds not revealed stay lost.
    /// @custom:reverts UnknownAuction · AlreadyCleared · AlreadyCancelled · CancelTooEarly
    function cancel(uint32 auctionId) external;

    /// @notice Frees what the named orders hold beyond their fills.
    /// @custom:reverts UnknownAuction · WrongPhase · UnknownOrder · NotRevealed · AlreadyCollected
    function collect(uint32 auctionId, uint16[] calldata indices) external;

    /// @notice Does nothing: a transaction that moves on a chain which makes no empty blocks.
    function poke() external;

    // Views.

    function auctionCount() external view returns (uint32);
    function auction(uint32 auctionId) external view returns (AuctionView memory);
    function phaseOf(uint32 auctionId) external view returns (Phase);
    function orders(uint32 auctionId) external view returns (OrderView[] memory);
    function hasOrdered(uint32 auctionId, uint32 regionId) external view returns (bool);
    /// @return lots won; 0 before clear.
    function fillOf(uint32 auctionId, uint16 index) external view returns (uint32 lots);
    function commitmentOf(
        uint32 auctionId,
        uint32 regionId,
        Side side,
        uint32 price,
        uint32 lots,
        uint16 boostBps,
        bytes32 salt
    ) external view returns (bytes32);
    function constants() external view returns (AuctionConstants memory);
    function membership() external view returns (address);
    function escrow() external view returns (address);
    function reputation() external view returns (address);
}
