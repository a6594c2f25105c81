// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {
    AuctionConstants,
    AuctionView,
    EventKind,
    ICapacityAuction,
    AuctionTerms,
    OrderView,
    Phase,
    Profile,
    SealedOrder,
    Side
} from "./interfaces/ICapacityAuction.sol";
import {ILeaseEscrow} from "./interfaces/ILeaseEscrow.sol";
import {IMarketEscrow} from "./interfaces/IMarketEscrow.sol";
import {IMembership, Place, Role, Attestation} from "./interfaces/IMembership.sol";
import {IReputation} from "./interfaces/IReputation.sol";
import {AuctionId, MeshId, OrganisationId, Price, RegionId} from "./interfaces/Types.sol";
import {Arithmetic} from "./libraries/Arithmetic.sol";
import {Budgets} from "./libraries/Budgets.sol";
import {Clearing} from "./libraries/Clearing.sol";
import {Leases} from "./libraries/Leases.sol";
import {Order, Orders} from "./libraries/Orders.sol";

/// @title CapacityAuction: sealed-bid, two-sided, divisible, uniform price, cleared by certificate
/// @notice Holds orders and phases; the escrow that it is created with holds the money.
contract CapacityAuction is ICapacityAuction {
    uint256 private constant MAX_ORDERS = 512;
    uint256 private constant MIN_SLOTS = 5;
    uint256 private constant MAX_LOT_MBPS = 2 ** 20 - 1;
    uint256 private constant LEASE_DELAY = 10 seconds;
    /// @dev Money that is locked for a start in the far future would be lost.
    uint256 private constant MAX_START_DELAY = 30 days;
    int256 private constant UNIT = 1e9;

    /// @dev First storage slot of an auction: what every step reads.
    struct CoreTerms {
        RegionId opener;
        uint40 openBlock;
        uint16 phaseBlocks;
        EventKind kind;
        Price priceCap;
        uint16 slots;
        uint24 lotMbps;
        uint16 minScore;
        uint40 openedAt;
        uint32 latencyBoundMicros;
    }

    /// @dev Second storage slot: who may order, and which mesh the leases join.
    struct Cell {
        int32 x;
        int32 y;
        int32 z;
        int32 cosine;
        uint8 fabric;
        uint32 attributes;
        uint40 earliestStart;
        MeshId mesh;
        bool openedByAgent;
    }

    /// @dev Third storage slot: what happened. `bonds`: of all orders ever committed. `ended`: 0 running, 1 cleared,
    /// 2 cancelled. A reveal does not write it: each order has its own flag.
    struct Tally {
        uint16 orders;
        uint64 bonds;
        uint8 ended;
        uint16 marginalBid;
        uint16 marginalAsk;
        uint48 price;
        uint24 bidFill;
        uint24 askFill;
    }

    /// @dev All orders of an auction, how many are revealed, and the bonds of these.
    struct Book {
        Order[] orders;
        uint256 revealed;
        uint256 revealedBonds;
    }

    uint8 private constant CLEARED = 1;
    uint8 private constant CANCELLED = 2;

    /// @inheritdoc ICapacityAuction
    address public immutable membership;
    /// @inheritdoc ICapacityAuction
    address public immutable escrow;
    /// @inheritdoc ICapacityAuction
    address public immutable reputation;
    uint16 private immutable urgentBlocks;
    uint16 private immutable normalBlocks;
    uint32 private immutable clearBlocks;
    uint64 private immutable minBond;
    uint64 private immutable openDeposit;
    uint16 private immutable minScore;
    int32 private immutable maxCosine;

    /// @inheritdoc ICapacityAuction
    uint32 public auctionCount;
    mapping(AuctionId auctionId => CoreTerms) private terms;
    mapping(AuctionId auctionId => Cell) private cells;
    mapping(AuctionId auctionId => Tally) private tallies;
    mapping(AuctionId auctionId => Order[MAX_ORDERS]) private books;
    /// @dev Word w of an auction. Bit i: region 64w + i has ordered. Bits 64 + 2i and 65 + 2i: organisation 64w + i has
    /// a bid, an ask. One word for both, so that a commit writes one storage slot if the numbers are small.
    mapping(AuctionId auctionId => mapping(uint256 word => uint256)) private orderFlags;

    /// @notice Reverts with OutOfRange if a constant is outside its range.
    /// @param membership_ the register of regions.
    /// @param escrow_ the escrow, which must name this contract as its auction.
    /// @param constants_ constants of the deployment.
    constructor(address membership_, address escrow_, AuctionConstants memory constants_) {
        if (ILeaseEscrow(escrow_).auction() != address(this)) revert EscrowOfOtherAuction(escrow_);
        requireRange("blocks", constants_.urgentBlocks, 1, type(uint16).max);
        requireRange("blocks", constants_.normalBlocks, constants_.urgentBlocks, type(uint16).max);
        requireRange("clear blocks", constants_.clearBlocks, 1, type(uint32).max);
        requireRange("bond", constants_.minBond, 1, type(uint64).max);
        requireRange("score", constants_.minScore, 0, 1000);
        requireCosine(constants_.maxCosine, UNIT - 1);
        membership = membership_;
        urgentBlocks = constants_.urgentBlocks;
        normalBlocks = constants_.normalBlocks;
        clearBlocks = constants_.clearBlocks;
        minBond = constants_.minBond;
        openDeposit = constants_.openDeposit;
        minScore = constants_.minScore;
        maxCosine = constants_.maxCosine;
        escrow = escrow_;
        reputation = ILeaseEscrow(escrow_).reputation();
    }

    // Open.

    /// @inheritdoc ICapacityAuction
    function open(RegionId regionId, AuctionTerms calldata terms_) external returns (AuctionId auctionId) {
        (Role role, Attestation attestation) = roleAndAttestationOf(regionId);
        requireOnFabric(regionId, attestation, terms_.fabric);
        requireCosine(terms_.cosine, maxCosine);
        requireRange("lot Mbit/s", terms_.lotMbps, 1, MAX_LOT_MBPS);
        requireRange("slots", terms_.slots, MIN_SLOTS, type(uint16).max);
        requireRange("price cap", Price.unwrap(terms_.priceCap), 1, type(uint32).max);
        requireRange("earliest start", terms_.earliestStart, 0, block.timestamp + MAX_START_DELAY);

        Place memory place = attestation.place();
        auctionId = AuctionId.wrap(++auctionCount);
        MeshId mesh = meshOf(auctionId, regionId, terms_.earlier);
        uint16 phaseBlocks = terms_.profile == Profile.Urgent ? urgentBlocks : normalBlocks;
        terms[auctionId] = CoreTerms({
            opener: regionId,
            openBlock: uint40(block.number),
            phaseBlocks: phaseBlocks,
            kind: terms_.kind,
            priceCap: terms_.priceCap,
            slots: terms_.slots,
            lotMbps: terms_.lotMbps,
            minScore: terms_.requiresMinScore ? minScore : 0,
            openedAt: uint40(block.timestamp),
            latencyBoundMicros: terms_.latencyBoundMicros
        });
        cells[auctionId] = Cell({
            x: place.x,
            y: place.y,
            z: place.z,
            cosine: terms_.cosine,
            fabric: terms_.fabric,
            attributes: terms_.attributes,
            earliestStart: terms_.earliestStart,
            mesh: mesh,
            openedByAgent: role == Role.Agent
        });
        tallies[auctionId].marginalBid = Clearing.NONE;
        tallies[auctionId].marginalAsk = Clearing.NONE;
        emit AuctionOpened(
            auctionId,
            mesh,
            regionId,
            terms_,
            place,
            uint40(block.timestamp),
            phaseBlocks,
            role == Role.Agent
        );
        IMarketEscrow(escrow).takeDeposit(regionId, openDeposit, role == Role.Agent);
    }

    // Commit.

    /// @inheritdoc ICapacityAuction
    function commit(
        AuctionId auctionId,
        RegionId regionId,
        Side side,
        uint64 bond,
        bytes32 commitment
    ) external returns (uint16 index) {
        CoreTerms storage t = terms[auctionId];
        (RegionId opener, uint256 lastBlock, uint16 neededScore) = (t.opener, t.openBlock + t.phaseBlocks, t.minScore);
        if (opener.isNoRegion()) revert UnknownAuction(auctionId);
        if (block.number > lastBlock) revert WrongPhase(auctionId, phaseOf(auctionId), Phase.Commit);
        (Role role, Attestation attestation) = roleAndAttestationOf(regionId);
        requireEligible(auctionId, regionId, attestation);
        uint16 score = IReputation(reputation).closingScore(regionId);
        if (side == Side.Ask && score < neededScore) revert ScoreTooLow(regionId, score, neededScore);
        if (bond < minBond) revert BondTooSmall(bond, minBond);
        recordOrder(auctionId, regionId, attestation.organisation(), side);

        bool byAgent = role == Role.Agent;
        index = enter(auctionId, commitment, side, regionId, bond, score, byAgent);
        emit OrderCommitted(auctionId, regionId, index, side, bond, score, byAgent, commitment);
        IMarketEscrow(escrow).takeBond(regionId, bond, byAgent);
    }

    // Reveal.

    /// @inheritdoc ICapacityAuction
    function reveal(AuctionId auctionId, SealedOrder memory order) external {
        CoreTerms storage t = terms[auctionId];
        (uint256 openBlock, uint256 n, uint256 slots) = (t.openBlock, t.phaseBlocks, t.slots);
        (uint256 cap, uint16 week) = (Price.unwrap(t.priceCap), Budgets.weekOf(t.openedAt));
        // An unknown auction has openBlock 0 and n 0, so it gets here; phaseOf reverts with UnknownAuction.
        if (block.number <= openBlock + n || block.number > openBlock + 2 * n)
            revert WrongPhase(auctionId, phaseOf(auctionId), Phase.Reveal);
        if (order.index >= MAX_ORDERS) revert UnknownOrder(auctionId, order.index);
        Order stored = books[auctionId][order.index];
        if (stored.isRevealed()) revert AlreadyRevealed(auctionId, order.index);
        if (Order.unwrap(stored) == 0) revert UnknownOrder(auctionId, order.index);
        requireOpening(auctionId, order, stored);
        uint256 limit = Price.unwrap(order.price);
        requireRange("price", limit, 1, cap);
        requireRange("lots", order.lots, 1, Orders.MAX_LOTS);
        uint256 amount = limit * order.lots * slots;
        if (5 * uint256(order.bond) < amount) revert BondTooSmall(order.bond, Arithmetic.ceilDiv(amount, 5));

        uint256 bps;
        uint256 effective;
        if (order.side == Side.Bid) {
            bool byAgent = stored.byAgent();
            (bps, effective) = boosted(order, stored.score(), cap);
            uint256 need = Orders.budgetNeed(effective, bps) * order.lots * slots;
            if (!IMarketEscrow(escrow).lockBid(order.regionId, order.bond, amount, byAgent, week, need))
                (bps, effective) = (0, limit * Orders.SCALE);
        } else {
            if (order.boostBps != 0) revert BoostTooHigh(order.boostBps, 0);
            bps = Orders.handicapOf(stored.score());
            effective = Orders.askEffective(limit, bps);
            IMarketEscrow(escrow).bondAsk(order.regionId, order.bond);
        }
        books[auctionId][order.index] = stored.revealedAs(
            order.side,
            bps,
            order.lots,
            limit,
            effective,
            order.regionId,
            order.bond
        );
        emit OrderRevealed(auctionId, order.regionId, order.index, order.price, order.lots, uint16(bps));
    }

    /// @inheritdoc ICapacityAuction
    function revealMany(AuctionId auctionId, SealedOrder[] calldata orders_) external returns (uint256 revealed) {
        for (uint256 i = 0; i < orders_.length; ++i) {
            try this.reveal(auctionId, orders_[i]) {
                ++revealed;
            } catch (bytes memory reason) {
                emit RevealSkipped(auctionId, orders_[i].index, reason);
            }
        }
    }

    // Clear, cancel, collect.

    /// @inheritdoc ICapacityAuction
    function clear(AuctionId auctionId, uint16 bid, uint16 ask) external {
        CoreTerms memory t = known(auctionId);
        Tally memory tally = tallies[auctionId];
        requireNotEnded(auctionId, tally);
        Book memory book = bookOf(auctionId, tally.orders);
        Phase found = phase(t, tally, book.revealed == tally.orders);
        if (found != Phase.Clear) revert WrongPhase(auctionId, found, Phase.Clear);
        Clearing.Outcome memory outcome = Clearing.check(book.orders, bid, ask);
        if (!outcome.valid) revert CertificateWrong(auctionId, bid, ask);

        tally.ended = CLEARED;
        (tally.marginalBid, tally.marginalAsk) = (bid, ask);
        tally.price = uint48(outcome.price);
        (tally.bidFill, tally.askFill) = (uint24(outcome.bidFill), uint24(outcome.askFill));
        tallies[auctionId] = tally;
        uint64 lostBonds = uint64(tally.bonds - book.revealedBonds);
        emit AuctionCleared(
            auctionId,
            bid,
            ask,
            uint32(outcome.lotsTraded),
            uint64(outcome.price),
            lostBonds,
            book.revealed > 0
        );
        bytes32 root = outcome.lotsTraded == 0 ? bytes32(0) : grant(auctionId, t, book.orders, outcome);
        closeAuction(auctionId, t.opener, book.revealed > 0, lostBonds, root);
    }

    /// @inheritdoc ICapacityAuction
    function cancel(AuctionId auctionId) external {
        CoreTerms memory t = known(auctionId);
        Tally memory tally = tallies[auctionId];
        requireNotEnded(auctionId, tally);
        uint256 from = lastReveal(t) + clearBlocks + 1;
        if (block.number < from) revert CancelTooEarly(auctionId, from);
        Book memory book = bookOf(auctionId, tally.orders);
        tally.ended = CANCELLED;
        tallies[auctionId] = tally;
        uint64 lostBonds = uint64(tally.bonds - book.revealedBonds);
        emit AuctionCancelled(auctionId, lostBonds, book.revealed > 0);
        closeAuction(auctionId, t.opener, book.revealed > 0, lostBonds, 0);
    }

    /// @inheritdoc ICapacityAuction
    function collect(AuctionId auctionId, uint16[] calldata indices) external {
        CoreTerms memory t = known(auctionId);
        Tally memory tally = tallies[auctionId];
        if (tally.ended == 0) revert WrongPhase(auctionId, phase(auctionId, t, tally), Phase.Cleared);
        for (uint256 i = 0; i < indices.length; ++i) collectOne(auctionId, t, tally, indices[i]);
    }

    /// @inheritdoc ICapacityAuction
    function poke() external {} // solhint-disable-line no-empty-blocks

    // Views.

    /// @inheritdoc ICapacityAuction
    function auction(AuctionId auctionId) external view returns (AuctionView memory found) {
        CoreTerms memory t = known(auctionId);
        Cell memory c = cells[auctionId];
        Tally memory tally = tallies[auctionId];
        found.id = auctionId;
        (found.mesh, found.opener, found.kind, found.fabric) = (c.mesh, t.opener, t.kind, c.fabric);
        (found.cosine, found.place, found.attributes) = (c.cosine, Place(c.x, c.y, c.z), c.attributes);
        (found.minScore, found.latencyBoundMicros) = (t.minScore, t.latencyBoundMicros);
        (found.lotMbps, found.slots, found.earliestStart, found.priceCap) = (
            t.lotMbps,
            t.slots,
            c.earliestStart,
            t.priceCap
        );
        (found.openBlock, found.openedAt, found.phaseBlocks) = (t.openBlock, t.openedAt, t.phaseBlocks);
        found.lastCommitBlock = uint64(lastCommit(t));
        found.lastRevealBlock = uint64(lastReveal(t));
        found.cancelFromBlock = uint64(lastReveal(t) + clearBlocks + 1);
        Book memory book = bookOf(auctionId, tally.orders);
        found.phase = phase(t, tally, book.revealed == tally.orders);
        (found.orders, found.revealed) = (tally.orders, uint16(book.revealed));
        if (tally.ended == 0) found.bondsHeld = uint64(tally.bonds - book.revealedBonds);
        (found.marginalBid, found.marginalAsk) = (tally.marginalBid, tally.marginalAsk);
        found.scaledPrice = tally.price;
        found.price = Price.wrap(uint32(Arithmetic.ceilDiv(tally.price, Orders.SCALE)));
        for (uint16 i = 0; i < tally.orders; ++i) {
            Order order = books[auctionId][i];
            if (order.isRevealed() && !order.isAsk()) found.lotsTraded += uint32(filled(auctionId, tally, order, i));
        }
    }

    /// @inheritdoc ICapacityAuction
    function phaseOf(AuctionId auctionId) public view returns (Phase phase_) {
        return phase(auctionId, known(auctionId), tallies[auctionId]);
    }

    /// @inheritdoc ICapacityAuction
    function orders(AuctionId auctionId) external view returns (OrderView[] memory found) {
        known(auctionId);
        found = new OrderView[](tallies[auctionId].orders);
        for (uint16 i = 0; i < found.length; ++i) {
            Order order = books[auctionId][i];
            OrderView memory v = found[i];
            v.index = i;
            v.revealed = order.isRevealed();
            v.byAgent = order.byAgent();
            v.score = uint16(order.score());
            if (!v.revealed) {
                v.commitment = order.sealOf();
                continue;
            }
            v.collected = order.isCollected();
            v.side = order.isAsk() ? Side.Ask : Side.Bid;
            v.regionId = order.regionId();
            v.price = Price.wrap(uint32(order.price()));
            v.lots = uint32(order.lots());
            v.bps = uint16(order.bps());
            v.effectivePrice = uint64(order.effective());
            v.bond = uint64(order.bond());
        }
    }

    /// @inheritdoc ICapacityAuction
    function hasOrdered(AuctionId auctionId, RegionId regionId) external view returns (bool ordered) {
        known(auctionId);
        uint256 region = RegionId.unwrap(regionId);
        return (orderFlags[auctionId][region >> 6] >> (region & 63)) & 1 == 1;
    }

    /// @inheritdoc ICapacityAuction
    function fillOf(AuctionId auctionId, uint16 index) external view returns (uint32 lots) {
        known(auctionId);
        Tally memory tally = tallies[auctionId];
        if (index >= tally.orders) revert UnknownOrder(auctionId, index);
        Order order = books[auctionId][index];
        return order.isRevealed() ? uint32(filled(auctionId, tally, order, index)) : 0;
    }

    /// @inheritdoc ICapacityAuction
    function commitmentOf(
        AuctionId auctionId,
        RegionId regionId,
        Side side,
        Price price,
        uint32 lots,
        uint16 boostBps,
        bytes32 salt
    ) public view returns (bytes32 commitment) {
        return Orders.commitment(block.chainid, address(this), auctionId, regionId, side, price, lots, boostBps, salt);
    }

    /// @inheritdoc ICapacityAuction
    function constants() external view returns (AuctionConstants memory values) {
        return AuctionConstants(urgentBlocks, normalBlocks, clearBlocks, minBond, openDeposit, minScore, maxCosine);
    }

    // Checks.

    function known(AuctionId auctionId) private view returns (CoreTerms memory t) {
        t = terms[auctionId];
        if (t.opener.isNoRegion()) revert UnknownAuction(auctionId);
    }

    function lastCommit(CoreTerms memory t) private pure returns (uint256) {
        return uint256(t.openBlock) + t.phaseBlocks;
    }

    function lastReveal(CoreTerms memory t) private pure returns (uint256) {
        return uint256(t.openBlock) + 2 * uint256(t.phaseBlocks);
    }

    function phase(AuctionId auctionId, CoreTerms memory t, Tally memory tally) private view returns (Phase) {
        return phase(t, tally, bookOf(auctionId, tally.orders).revealed == tally.orders);
    }

    function phase(CoreTerms memory t, Tally memory tally, bool allRevealed) private view returns (Phase) {
        if (tally.ended != 0) return tally.ended == CLEARED ? Phase.Cleared : Phase.Cancelled;
        if (block.number <= lastCommit(t)) return Phase.Commit;
        return allRevealed || block.number > lastReveal(t) ? Phase.Clear : Phase.Reveal;
    }

    function requireNotEnded(AuctionId auctionId, Tally memory tally) private pure {
        if (tally.ended == CLEARED) revert AlreadyCleared(auctionId);
        if (tally.ended == CANCELLED) revert AlreadyCancelled(auctionId);
    }

    function roleAndAttestationOf(RegionId regionId) private view returns (Role role, Attestation attestation) {
        (role, attestation) = IMembership(membership).roleAndAttestationOf(regionId, msg.sender);
        if (role == Role.None) revert NotAuthorised(regionId, msg.sender);
        if (!attestation.isActive()) revert NotActive(regionId);
    }

    function requireOnFabric(RegionId regionId, Attestation attestation, uint8 fabric) private pure {
        if (fabric >= 64 || (attestation.fabrics() >> fabric) & 1 == 0) revert NotOnFabric(regionId, fabric);
    }

    function requireEligible(AuctionId auctionId, RegionId regionId, Attestation attestation) private view {
        Cell storage cell = cells[auctionId];
        (int256 x, int256 y, int256 z, int32 minCosine) = (cell.x, cell.y, cell.z, cell.cosine);
        (uint8 fabric, uint32 missing) = (cell.fabric, cell.attributes & ~attestation.attributes());
        requireOnFabric(regionId, attestation, fabric);
        int256 cosine = attestation.cosineTo(x, y, z);
        if (cosine < int256(minCosine) * UNIT) revert NotInCell(regionId, cosine / UNIT, minCosine);
        if (missing != 0) revert AttributesMissing(regionId, missing);
    }

    /// @dev A region has one order; an organisation orders on one side, since it could trade with itself otherwise and
    /// be paid by its budget.
    function recordOrder(AuctionId auctionId, RegionId regionId, OrganisationId organisationId, Side side) private {
        mapping(uint256 => uint256) storage words = orderFlags[auctionId];
        (uint256 region, uint256 organisation) = (RegionId.unwrap(regionId), OrganisationId.unwrap(organisationId));
        uint256 word = words[region >> 6];
        uint256 regionBit = 1 << (region & 63);
        if (word & regionBit != 0) revert AlreadyOrdered(auctionId, regionId);
        word |= regionBit;
        if (organisation >> 6 != region >> 6) {
            words[region >> 6] = word;
            word = words[organisation >> 6];
        }
        uint256 shift = 64 + 2 * (organisation & 63);
        uint256 own = side == Side.Bid ? 1 : 2;
        if ((word >> shift) & (3 - own) != 0) revert OtherSide(auctionId, organisationId);
        words[organisation >> 6] = word | (own << shift);
    }

    function requireOpening(AuctionId auctionId, SealedOrder memory order, Order stored) private view {
        bytes32 commitment = commitmentOf(
            auctionId,
            order.regionId,
            order.side,
            order.price,
            order.lots,
            order.boostBps,
            order.salt
        );
        bytes32 sealed_ = Orders.seal(commitment, order.side, order.regionId, order.bond, order.index);
        if (!stored.matches(sealed_)) revert WrongOpening(auctionId, order.index);
    }

    function requireRange(string memory field, uint256 value, uint256 min, uint256 max) private pure {
        if (value < min || value > max) revert OutOfRange(field, int256(value), int256(min), int256(max));
    }

    function requireCosine(int256 value, int256 max) private pure {
        if (value < -UNIT || value > max) revert OutOfRange("cosine", value, -UNIT, max);
    }

    // Effects.

    function meshOf(AuctionId auctionId, RegionId regionId, AuctionId earlier) private view returns (MeshId) {
        if (earlier.isNoAuction()) return MeshId.wrap(AuctionId.unwrap(auctionId));
        if (terms[earlier].opener != regionId) revert NotOpener(earlier, regionId);
        return cells[earlier].mesh;
    }

    function enter(
        AuctionId auctionId,
        bytes32 commitment,
        Side side,
        RegionId regionId,
        uint64 bond,
        uint16 score,
        bool byAgent
    ) private returns (uint16 index) {
        Tally storage tally = tallies[auctionId];
        uint64 bonds = tally.bonds;
        index = tally.orders;
        if (index == MAX_ORDERS) revert BookFull(auctionId);
        (tally.orders, tally.bonds) = (index + 1, bonds + bond);
        bytes32 sealed_ = Orders.seal(commitment, side, regionId, bond, index);
        books[auctionId][index] = Orders.committed(sealed_, score, byAgent);
    }

    /// @dev The boost in basis points, and E with it.
    function boosted(
        SealedOrder memory order,
        uint256 score,
        uint256 cap
    ) private pure returns (uint256 boost, uint256 effective) {
        boost = order.boostBps;
        uint256 maxBoost = Orders.maxBoost(score);
        if (boost > maxBoost) revert BoostTooHigh(boost, maxBoost);
        effective = Orders.bidEffective(Price.unwrap(order.price), boost, cap);
    }

    function bookOf(AuctionId auctionId, uint256 count) private view returns (Book memory book) {
        Order[MAX_ORDERS] storage stored = books[auctionId];
        Order[] memory list = new Order[](count);
        (uint256 revealed, uint256 bonds) = (0, 0);
        unchecked {
            for (uint256 i = 0; i < count; ++i) {
                Order order;
                // The storage slots of an array follow one another, and count is not above MAX_ORDERS.
                assembly ("memory-safe") {
                    order := sload(add(stored.slot, i))
                    mstore(add(add(list, 0x20), shl(5, i)), order)
                }
                if (!order.isRevealed()) continue;
                ++revealed;
                bonds += order.bond();
            }
        }
        (book.orders, book.revealed, book.revealedBonds) = (list, revealed, bonds);
    }

    function grant(
        AuctionId auctionId,
        CoreTerms memory t,
        Order[] memory book,
        Clearing.Outcome memory outcome
    ) private returns (bytes32 root) {
        Cell storage cell = cells[auctionId];
        uint256 minStart = block.timestamp + LEASE_DELAY;
        uint40 start = uint40(minStart > cell.earliestStart ? minStart : cell.earliestStart);
        Price price = Price.wrap(uint32(Arithmetic.ceilDiv(outcome.price, Orders.SCALE)));
        uint16 week = Budgets.weekOf(t.openedAt);
        uint256[] memory words = Clearing.leases(book, outcome);
        root = Leases.rootOf(words, Leases.packTerms(start, t.slots, t.lotMbps, price, week));
        emit LeasesGranted(auctionId, cell.mesh, root, start, t.slots, t.lotMbps, price, week, words);
    }

    function closeAuction(
        AuctionId auctionId,
        RegionId opener,
        bool depositBack,
        uint64 lostBonds,
        bytes32 root
    ) private {
        bool byAgent = cells[auctionId].openedByAgent;
        IMarketEscrow(escrow).closeAuction(auctionId, opener, byAgent, openDeposit, depositBack, lostBonds, root);
    }

    function filled(
        AuctionId auctionId,
        Tally memory tally,
        Order order,
        uint256 index
    ) private view returns (uint256) {
        uint256 marginal = order.isAsk() ? tally.marginalAsk : tally.marginalBid;
        if (tally.ended != CLEARED || marginal == Clearing.NONE) return 0;
        Order last = books[auctionId][marginal];
        return
            order.isAsk()
                ? Clearing.fillOf(order, index, last.askRank(marginal), tally.askFill)
                : Clearing.fillOf(order, index, last.bidRank(marginal), tally.bidFill);
    }

    function collectOne(AuctionId auctionId, CoreTerms memory t, Tally memory tally, uint16 index) private {
        if (index >= tally.orders) revert UnknownOrder(auctionId, index);
        Order order = books[auctionId][index];
        if (!order.isRevealed()) revert NotRevealed(auctionId, index);
        if (order.isCollected()) revert AlreadyCollected(auctionId, index);
        books[auctionId][index] = order.collected();
        uint256 fill = filled(auctionId, tally, order, index);
        RegionId regionId = order.regionId();
        uint256 released;
        uint256 budgetBack = 0;
        if (order.isAsk()) {
            released = order.bond() - (order.bond() * fill) / order.lots();
            IMarketEscrow(escrow).releaseAsk(regionId, uint64(released), order.byAgent());
        } else {
            uint256 unit = order.buyerUnitUp(tally.price);
            uint256 subsidy = Arithmetic.ceilDiv(tally.price, Orders.SCALE) - unit;
            uint256 need = Orders.budgetNeed(order.effective(), order.bps()) * order.lots();
            released = (order.lots() * order.price() - fill * unit) * t.slots;
            budgetBack = (need - fill * subsidy) * t.slots;
            IMarketEscrow(escrow).releaseBid(
                regionId,
                uint64(released),
                order.byAgent(),
                Budgets.weekOf(t.openedAt),
                uint64(budgetBack)
            );
        }
        emit OrderCollected(auctionId, regionId, index, uint32(fill), uint64(released), uint64(budgetBack));
    }
}
