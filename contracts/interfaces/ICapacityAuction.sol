// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Place} from "./IMembership.sol";
import {AuctionId, MeshId, OrganisationId, Price, RegionId} from "./Types.sol";

/// @notice Reason for an auction, stated by its opener.
enum EventKind {
    Disaster,
    Rollout,
    Surge,
    Custom
}

/// @notice Side of an order: a bid buys capacity, an ask sells it.
enum Side {
    Bid,
    Ask
}

/// @notice How long the phases of an auction are: the deployment's `urgentBlocks` or `normalBlocks`.
enum Profile {
    Urgent,
    Normal
}

/// @notice Phase of an auction, computed from blocks and facts and never stored. n: `phaseBlocks`.
///
/// | phase     | begins with                                    | ends with                                         |
/// |-----------|------------------------------------------------|---------------------------------------------------|
/// | Commit    | open                                           | block.number > openBlock + n                      |
/// | Reveal    | the end of Commit                              | every order revealed, or block > openBlock + 2n   |
/// | Clear     | the end of Reveal                              | clear (with a certificate), or cancel             |
/// | Cleared   | clear                                          | never                                             |
/// | Cancelled | cancel, from openBlock + 2n + clearBlocks + 1  | never                                             |
enum Phase {
    Commit,
    Reveal,
    Clear,
    Cleared,
    Cancelled
}

/// @notice The immutable parameters of an auction, set by its opener.
/// @param kind reason for the auction.
/// @param earlier 0, or an earlier auction of the same opener: the new leases join its mesh.
/// @param fabric number of the fabric, 0 to 63, on which both ends of every lease can reach each other.
/// @param cosine of the cell's radius as an angle at the earth's centre, scaled by 10^9; −10^9 to `maxCosine`.
/// @param attributes bits that every participant must have.
/// @param requiresMinScore whether sellers need the deployment's `minScore`.
/// @param latencyBoundMicros round-trip time that a lease's interface must keep, in microseconds.
/// @param lotMbps size of one lot in Mbit/s, 1 to 2^20 − 1.
/// @param slots term of the leases in slots of 60 s, at least 5.
/// @param earliestStart Unix second, at most 30 days ahead; leases start then, or 10 s after clear if that is later.
/// @param priceCap highest price that an order may have, at least 1.
/// @param profile length of the phases.
struct AuctionTerms {
    EventKind kind;
    AuctionId earlier;
    uint8 fabric;
    int32 cosine;
    uint32 attributes;
    bool requiresMinScore;
    uint32 latencyBoundMicros;
    uint24 lotMbps;
    uint16 slots;
    uint40 earliestStart;
    Price priceCap;
    Profile profile;
}

/// @notice The opening of a sealed order: what `reveal` takes.
/// @param index number of the order in its auction, by commit.
/// @param regionId region that ordered.
/// @param side bid or ask.
/// @param price limit of the order, 1 to the auction's `priceCap`.
/// @param lots 1 to 1,000,000.
/// @param boostBps boost of a bid in basis points, at most 2500 · score / 1000; 0 for an ask.
/// @param bond bond of the commit, in price units.
/// @param salt random value of the commitment.
struct SealedOrder {
    uint16 index;
    RegionId regionId;
    Side side;
    Price price;
    uint32 lots;
    uint16 boostBps;
    uint64 bond;
    bytes32 salt;
}

/// @notice One order as the contract holds it; from `side` on everything is 0 until the reveal.
/// @param index number of the order in its auction, by commit.
/// @param revealed whether it is revealed.
/// @param collected whether it is collected.
/// @param byAgent whether the agent's key made it, within its allowance.
/// @param score the region's closing score at the commit, 0 to 1000.
/// @param commitment upper 240 bits of the sealed order's hash; 0 after the reveal.
/// @param side bid or ask.
/// @param regionId region that ordered.
/// @param price limit of the order.
/// @param lots number of lots.
/// @param bps boost of a bid or handicap of an ask, in basis points.
/// @param effectivePrice E, scaled by 10^4.
/// @param bond in price units.
struct OrderView {
    uint16 index;
    bool revealed;
    bool collected;
    bool byAgent;
    uint16 score;
    bytes32 commitment;
    Side side;
    RegionId regionId;
    Price price;
    uint32 lots;
    uint16 bps;
    uint64 effectivePrice;
    uint64 bond;
}

/// @notice An auction as the contract holds it.
/// @param id number of the auction.
/// @param mesh mesh that its leases join.
/// @param opener region that opened it.
/// @param kind reason for the auction.
/// @param fabric as in `AuctionTerms`.
/// @param cosine as in `AuctionTerms`.
/// @param place the opener's place when the auction was opened: the centre of the cell.
/// @param attributes as in `AuctionTerms`.
/// @param minScore score that sellers need, 0 to 1000.
/// @param latencyBoundMicros as in `AuctionTerms`.
/// @param lotMbps as in `AuctionTerms`.
/// @param slots as in `AuctionTerms`.
/// @param earliestStart as in `AuctionTerms`.
/// @param priceCap as in `AuctionTerms`.
/// @param openBlock number of the block in which it was opened.
/// @param openedAt time of that block, Unix second.
/// @param phaseBlocks n: blocks of the commit phase, and of the reveal phase.
/// @param lastCommitBlock number of the last block of the commit phase.
/// @param lastRevealBlock number of the last block of the reveal phase.
/// @param cancelFromBlock number of the first block in which anyone may cancel.
/// @param phase phase as of the current block.
/// @param orders how many orders were committed.
/// @param revealed how many of them are revealed.
/// @param bondsHeld bonds of orders that are not revealed, in price units; 0 after the end.
/// @param marginalBid index of the last bid with a fill; 65535: there was no trade, or no clear yet.
/// @param marginalAsk index of the last ask with a fill; 65535: there was no trade, or no clear yet.
/// @param scaledPrice p, the clearing price scaled by 10^4.
/// @param price P = ⌈p / 10^4⌉.
/// @param lotsTraded lots of all leases.
struct AuctionView {
    AuctionId id;
    MeshId mesh;
    RegionId opener;
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
    Price priceCap;
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
    Price price;
    uint32 lotsTraded;
}

/// @notice Constants of a deployment.
/// @param urgentBlocks n of the urgent profile; at least two full rotations of the validators.
/// @param normalBlocks n of the normal profile; at least `urgentBlocks`.
/// @param clearBlocks blocks after the reveal phase in which only clear ends the auction; then anyone may cancel.
/// @param minBond smallest bond of an order, in price units.
/// @param openDeposit deposit that an opener pays, in price units.
/// @param minScore score that an opener may require of sellers, 0 to 1000.
/// @param maxCosine cosine of the smallest radius, scaled by 10^9: a cell cannot be smaller.
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
/// @notice docs/MARKET.md has the rules. The region's agent key (within its allowance) or its treasury calls open and
/// commit; anyone may call reveal, clear, cancel, collect and poke.
///
/// | attack                                              | what refuses it, or what it costs                      |
/// |-----------------------------------------------------|--------------------------------------------------------|
/// | a copied commitment, a replay across auctions, contracts or chains | WrongOpening                            |
/// | brute force of an order with few possible values    | the salt's 32 bytes; a wrong guess is a WrongOpening   |
/// | a second order, a second reveal                     | AlreadyOrdered, AlreadyRevealed                        |
/// | many commits of which only some are revealed        | each bond not revealed: at least a fifth of its order  |
/// | spam of commits                                     | AlreadyOrdered, BondTooSmall, BookFull                 |
/// | a wrong certificate                                 | CertificateWrong                                       |
/// | values that would overflow                          | OutOfRange, BondTooSmall, LeaseEscrow.LedgerFull       |
/// | a wash trade inside an organisation                 | OtherSide                                              |
/// | a wash trade in a pair or a clique                  | credit fees and bonds (IReputation), weekly budgets    |
/// | a seller without capacity, or that sells it twice   | its bond, lease by lease (ILeaseEscrow)                |
/// | a censoring proposer                                | phases of two rotations of the validators              |
/// | a shifted timestamp                                 | phases count blocks; the week is that of the open      |
/// | a lost disk of an agent                             | nothing: the salt is derived from the agent's key      |
/// | a token that re-enters, takes a fee, refuses or lies| ReentrancyGuardReentrantCall, LeaseEscrow.TokenAmountWrong, SafeERC20FailedOperation |
/// | a malicious admin                                   | nothing here can be restricted, paused or changed      |
interface ICapacityAuction {
    /// @notice An auction was opened.
    /// @param auctionId number of the auction.
    /// @param mesh mesh that its leases join.
    /// @param opener region that opened it.
    /// @param terms its immutable parameters.
    /// @param place the opener's attested place: the centre of the cell.
    /// @param openedAt time of the block, Unix second.
    /// @param phaseBlocks blocks of the commit phase, and of the reveal phase.
    /// @param byAgent whether the agent's key opened it, within its allowance.
    event AuctionOpened(
        AuctionId indexed auctionId,
        MeshId indexed mesh,
        RegionId indexed opener,
        AuctionTerms terms,
        Place place,
        uint40 openedAt,
        uint16 phaseBlocks,
        bool byAgent
    );

    /// @notice A region committed a sealed order.
    /// @param auctionId the auction.
    /// @param regionId region that ordered.
    /// @param index number of the order in its auction.
    /// @param side bid or ask.
    /// @param bond in price units.
    /// @param score the region's closing score of yesterday, 0 to 1000.
    /// @param byAgent whether the agent's key committed it, within its allowance.
    /// @param commitment hash as of `commitmentOf`.
    event OrderCommitted(
        AuctionId indexed auctionId,
        RegionId indexed regionId,
        uint16 index,
        Side side,
        uint64 bond,
        uint16 score,
        bool byAgent,
        bytes32 commitment
    );

    /// @notice An order was revealed; `OrderCommitted` has its side and bond.
    /// @param auctionId the auction.
    /// @param regionId region that ordered.
    /// @param index number of the order in its auction.
    /// @param price limit of the order.
    /// @param lots number of lots.
    /// @param bps boost granted to a bid (0 if its budget was too small) or handicap of an ask, in basis points.
    event OrderRevealed(
        AuctionId indexed auctionId,
        RegionId indexed regionId,
        uint16 index,
        Price price,
        uint32 lots,
        uint16 bps
    );

    /// @notice `revealMany` could not reveal an order and went on with the next one.
    /// @param auctionId the auction.
    /// @param index number of the order in its auction.
    /// @param reason the encoded error of `reveal`.
    event RevealSkipped(AuctionId indexed auctionId, uint16 index, bytes reason);

    /// @notice An auction was cleared.
    /// @param auctionId the auction.
    /// @param bid index of the marginal bid; 65535: no trade.
    /// @param ask index of the marginal ask; 65535: no trade.
    /// @param lotsTraded lots of all leases.
    /// @param scaledPrice p, the clearing price scaled by 10^4.
    /// @param lostBonds bonds of orders that were never revealed, now in the pool, in price units.
    /// @param depositReturned whether the opener got its deposit back.
    event AuctionCleared(
        AuctionId indexed auctionId,
        uint16 bid,
        uint16 ask,
        uint32 lotsTraded,
        uint64 scaledPrice,
        uint64 lostBonds,
        bool depositReturned
    );

    /// @notice All leases of an auction, one word for each: from the lowest bit
    /// `bid index 9 · ask index 9 · seller by agent 1 · buyer by agent 1 · bond share 64 · r 32 · u 32 · c 20 · lots 20 ·
    /// buyer 32 · seller 32`. The id of lease i is `keccak256(abi.encode(auctionId, i))`.
    /// @param auctionId the auction.
    /// @param mesh mesh that the leases join.
    /// @param root Merkle root over `keccak256(abi.encode(i, terms, word))`, pairs sorted, an odd one carried up;
    /// terms = `start << 88 | slots << 72 | lotMbps << 48 | price << 16 | week`.
    /// @param start start of all leases, Unix second.
    /// @param slots term of all leases, in slots of 60 s.
    /// @param lotMbps size of one lot in Mbit/s.
    /// @param price P, the clearing price.
    /// @param week week in which the auction was opened, whose budgets pay.
    /// @param leases one word for each lease.
    event LeasesGranted(
        AuctionId indexed auctionId,
        MeshId indexed mesh,
        bytes32 root,
        uint40 start,
        uint16 slots,
        uint24 lotMbps,
        Price price,
        uint16 week,
        uint256[] leases
    );

    /// @notice An auction was cancelled.
    /// @param auctionId the auction.
    /// @param lostBonds bonds of orders that were never revealed, now in the pool, in price units.
    /// @param depositReturned whether the opener got its deposit back.
    event AuctionCancelled(AuctionId indexed auctionId, uint64 lostBonds, bool depositReturned);

    /// @notice What an order held beyond its fill became free.
    /// @param auctionId the auction.
    /// @param regionId region that ordered.
    /// @param index number of the order in its auction.
    /// @param fill lots won.
    /// @param released what became free, in price units.
    /// @param budgetBack what was reserved of the region's budget and is not needed, in price units.
    event OrderCollected(
        AuctionId indexed auctionId,
        RegionId indexed regionId,
        uint16 index,
        uint32 fill,
        uint64 released,
        uint64 budgetBack
    );

    /// @notice No auction has this number.
    /// @param auctionId the number.
    error UnknownAuction(AuctionId auctionId);

    /// @notice The auction has no order with this index.
    /// @param auctionId the auction.
    /// @param index the index.
    error UnknownOrder(AuctionId auctionId, uint16 index);

    /// @notice The auction is in another phase than the call needs.
    /// @param auctionId the auction.
    /// @param found the phase it is in.
    /// @param needed the phase that the call needs.
    error WrongPhase(AuctionId auctionId, Phase found, Phase needed);

    /// @notice The caller is neither the region's agent nor its treasury.
    /// @param regionId the region.
    /// @param caller sender of the call.
    error NotAuthorised(RegionId regionId, address caller);

    /// @notice The region is suspended.
    /// @param regionId the region.
    error NotActive(RegionId regionId);

    /// @notice The region is not attached to the auction's fabric.
    /// @param regionId the region.
    /// @param fabric number of the fabric.
    error NotOnFabric(RegionId regionId, uint8 fabric);

    /// @notice The region is outside the auction's cell.
    /// @param regionId the region.
    /// @param cosine of its angle to the centre, scaled by 10^9.
    /// @param minCosine of the cell's radius, scaled by 10^9.
    error NotInCell(RegionId regionId, int256 cosine, int256 minCosine);

    /// @notice The region lacks attributes that the auction requires.
    /// @param regionId the region.
    /// @param missing bits of the attributes it lacks.
    error AttributesMissing(RegionId regionId, uint32 missing);

    /// @notice The seller's score is below the one that the auction requires.
    /// @param regionId the region.
    /// @param score its closing score, 0 to 1000.
    /// @param minScore the required score, 0 to 1000.
    error ScoreTooLow(RegionId regionId, uint256 score, uint256 minScore);

    /// @notice The region has an order in this auction already.
    /// @param auctionId the auction.
    /// @param regionId the region.
    error AlreadyOrdered(AuctionId auctionId, RegionId regionId);

    /// @notice The region's organisation has an order on the other side of this auction.
    /// @param auctionId the auction.
    /// @param organisation the organisation.
    error OtherSide(AuctionId auctionId, OrganisationId organisation);

    /// @notice The bond is below the deployment's smallest bond, or below a fifth of the order's amount.
    /// @param bond the bond, in price units.
    /// @param minBond the smallest bond that is enough, in price units.
    error BondTooSmall(uint256 bond, uint256 minBond);

    /// @notice The boost is higher than the region's score allows.
    /// @param boostBps the boost, in basis points.
    /// @param maxBoostBps the highest allowed boost, in basis points; 0 for an ask.
    error BoostTooHigh(uint256 boostBps, uint256 maxBoostBps);

    /// @notice The auction has 512 orders and takes no more.
    /// @param auctionId the auction.
    error BookFull(AuctionId auctionId);

    /// @notice The opening does not match the commitment of the order.
    /// @param auctionId the auction.
    /// @param index number of the order in its auction.
    error WrongOpening(AuctionId auctionId, uint16 index);

    /// @notice The order is revealed already.
    /// @param auctionId the auction.
    /// @param index number of the order in its auction.
    error AlreadyRevealed(AuctionId auctionId, uint16 index);

    /// @notice The order was not revealed.
    /// @param auctionId the auction.
    /// @param index number of the order in its auction.
    error NotRevealed(AuctionId auctionId, uint16 index);

    /// @notice The order is collected already.
    /// @param auctionId the auction.
    /// @param index number of the order in its auction.
    error AlreadyCollected(AuctionId auctionId, uint16 index);

    /// @notice The auction is cleared already.
    /// @param auctionId the auction.
    error AlreadyCleared(AuctionId auctionId);

    /// @notice The auction is cancelled already.
    /// @param auctionId the auction.
    error AlreadyCancelled(AuctionId auctionId);

    /// @notice The auction can still be cleared and may not be cancelled yet.
    /// @param auctionId the auction.
    /// @param fromBlock number of the first block in which anyone may cancel.
    error CancelTooEarly(AuctionId auctionId, uint256 fromBlock);

    /// @notice The named orders are not the last bid and the last ask that trade.
    /// @param auctionId the auction.
    /// @param bid index of the named bid.
    /// @param ask index of the named ask.
    error CertificateWrong(AuctionId auctionId, uint16 bid, uint16 ask);

    /// @notice The region did not open the earlier auction whose mesh it names.
    /// @param auctionId the earlier auction.
    /// @param regionId the region.
    error NotOpener(AuctionId auctionId, RegionId regionId);

    /// @notice The escrow was created for another auction contract.
    /// @param escrow address of the escrow.
    error EscrowOfOtherAuction(address escrow);

    /// @notice A value is outside its range.
    /// @param field name of the value.
    /// @param value the value.
    /// @param min smallest allowed value.
    /// @param max largest allowed value.
    error OutOfRange(string field, int256 value, int256 min, int256 max);

    /// @notice Opens an auction and takes the deposit from the opener's free balance.
    /// @param regionId region that opens it; its agent or treasury calls.
    /// @param terms the immutable parameters.
    /// @return auctionId number of the new auction.
    /// @custom:reverts NotAuthorised · NotActive · NotOnFabric · OutOfRange · NotOpener · LeaseEscrow.BalanceShort ·
    /// LeaseEscrow.AllowanceShort
    function open(RegionId regionId, AuctionTerms calldata terms) external returns (AuctionId auctionId);

    /// @notice Seals an order until the reveal phase.
    /// @param auctionId the auction.
    /// @param regionId region that orders; its agent or treasury calls.
    /// @param side bid or ask.
    /// @param bond in price units, from the free balance; a larger one hides the size: 5 · bond ≥ price · lots · slots.
    /// @param commitment binds chain, contract, auction and region (`commitmentOf`).
    /// @return index number of the order in its auction.
    /// @custom:reverts UnknownAuction · WrongPhase · NotAuthorised · NotActive · NotOnFabric · NotInCell ·
    /// AttributesMissing · ScoreTooLow · AlreadyOrdered · OtherSide · BondTooSmall · BookFull ·
    /// LeaseEscrow.BalanceShort · LeaseEscrow.AllowanceShort
    function commit(
        AuctionId auctionId,
        RegionId regionId,
        Side side,
        uint64 bond,
        bytes32 commitment
    ) external returns (uint16 index);

    /// @notice Reveals an order; anyone who has the opening may call.
    /// @param auctionId the auction.
    /// @param order the opening of the sealed order.
    /// @custom:reverts UnknownAuction · UnknownOrder · WrongPhase · AlreadyRevealed · WrongOpening · OutOfRange ·
    /// BoostTooHigh · BondTooSmall · LeaseEscrow.BalanceShort · LeaseEscrow.AllowanceShort
    function reveal(AuctionId auctionId, SealedOrder memory order) external;

    /// @notice Reveals each order that it can. An order that fails is named by `RevealSkipped` and can be tried again
    /// during the phase.
    /// @param auctionId the auction.
    /// @param orders the openings of sealed orders.
    /// @return revealed how many orders were revealed.
    function revealMany(AuctionId auctionId, SealedOrder[] calldata orders) external returns (uint256 revealed);

    /// @notice Clears an auction and grants its leases; anyone may call.
    /// @param auctionId the auction.
    /// @param bid index of the last bid that trades; 65535: none.
    /// @param ask index of the last ask that trades; 65535: none.
    /// @custom:reverts UnknownAuction · WrongPhase · AlreadyCleared · AlreadyCancelled · CertificateWrong
    function clear(AuctionId auctionId, uint16 bid, uint16 ask) external;

    /// @notice Releases all orders of an auction that nobody cleared in time; bonds of orders not revealed are lost.
    /// @param auctionId the auction.
    /// @custom:reverts UnknownAuction · AlreadyCleared · AlreadyCancelled · CancelTooEarly
    function cancel(AuctionId auctionId) external;

    /// @notice Frees what orders hold beyond their fills, after clear or cancel; anyone may call.
    /// @param auctionId the auction.
    /// @param indices numbers of the orders in their auction.
    /// @custom:reverts UnknownAuction · WrongPhase · UnknownOrder · NotRevealed · AlreadyCollected
    function collect(AuctionId auctionId, uint16[] calldata indices) external;

    /// @notice Does nothing: a transaction that makes a chain without empty blocks produce a block.
    function poke() external;

    // Views.

    /// @notice How many auctions were ever opened: they are numbered from 1 to this.
    /// @return count number of auctions.
    function auctionCount() external view returns (uint32 count);

    /// @notice An auction as of the current block.
    /// @param auctionId the auction.
    /// @return found what the contract holds.
    /// @custom:reverts UnknownAuction
    function auction(AuctionId auctionId) external view returns (AuctionView memory found);

    /// @notice The phase of an auction as of the current block.
    /// @param auctionId the auction.
    /// @return phase_ the phase.
    /// @custom:reverts UnknownAuction
    function phaseOf(AuctionId auctionId) external view returns (Phase phase_);

    /// @notice All orders of an auction, by index.
    /// @param auctionId the auction.
    /// @return found what the contract holds.
    /// @custom:reverts UnknownAuction
    function orders(AuctionId auctionId) external view returns (OrderView[] memory found);

    /// @notice Whether a region has an order in an auction.
    /// @param auctionId the auction.
    /// @param regionId the region.
    /// @return ordered true if it has.
    /// @custom:reverts UnknownAuction
    function hasOrdered(AuctionId auctionId, RegionId regionId) external view returns (bool ordered);

    /// @notice How many lots an order won.
    /// @param auctionId the auction.
    /// @param index number of the order in its auction.
    /// @return lots lots won; 0 before clear.
    /// @custom:reverts UnknownAuction · UnknownOrder
    function fillOf(AuctionId auctionId, uint16 index) external view returns (uint32 lots);

    /// @notice The commitment of an order on this chain and contract.
    /// @param auctionId the auction.
    /// @param regionId region that orders.
    /// @param side bid or ask.
    /// @param price limit of the order.
    /// @param lots number of lots.
    /// @param boostBps boost of a bid in basis points; 0 for an ask.
    /// @param salt random value that only the region knows.
    /// @return commitment hash for `commit`.
    function commitmentOf(
        AuctionId auctionId,
        RegionId regionId,
        Side side,
        Price price,
        uint32 lots,
        uint16 boostBps,
        bytes32 salt
    ) external view returns (bytes32 commitment);

    /// @notice The constants of this deployment.
    /// @return values all of them.
    function constants() external view returns (AuctionConstants memory values);

    /// @notice The register of regions.
    /// @return membershipAddress its address.
    function membership() external view returns (address membershipAddress);

    /// @notice The escrow that holds the money.
    /// @return escrowAddress its address.
    function escrow() external view returns (address escrowAddress);

    /// @notice The contract that scores are read from.
    /// @return reputationAddress its address.
    function reputation() external view returns (address reputationAddress);
}
