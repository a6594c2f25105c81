// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {
    AuctionView,
    EventKind,
    AuctionTerms,
    OrderView,
    Phase,
    Profile,
    SealedOrder,
    Side
} from "../../contracts/interfaces/ICapacityAuction.sol";
import {Account, Lease, Receipt} from "../../contracts/interfaces/ILeaseEscrow.sol";
import {AuctionId, LeaseId, Price, RegionId} from "../../contracts/interfaces/Types.sol";
import {Leases} from "../../contracts/libraries/Leases.sol";
import {Reputation} from "../../contracts/Reputation.sol";
import {HostileToken} from "../../contracts/test/HostileToken.sol";
import {TestMarket} from "./TestMarket.sol";
import {vm} from "./Vm.sol";

/// @notice Regions that trade, and regions that misbehave: they do not reveal, reveal wrongly or twice, claim falsely, end
/// leases early, call too early or without the right to. What is refused changes nothing; what passes keeps INV-1.
contract MarketActors is TestMarket {
    uint32 private constant REGIONS = 5;
    uint16 private constant NONE = type(uint16).max;

    /// @dev Leases that were granted, rebuilt from the books.
    Lease[] private granted;
    mapping(AuctionId auctionId => uint256 count) private leasesIn;
    mapping(AuctionId auctionId => SealedOrder[]) private sealedOrders;
    mapping(AuctionId auctionId => SealedOrder[]) private copies;
    /// @dev Counts of calls, of boosts granted and of commitments copied.
    uint256 public calls;
    uint256 public boosts;
    uint256 public copied;

    constructor() {
        for (uint32 i = 1; i <= REGIONS; ++i) {
            admit(i, 60_000_000, 40_000_000);
            vm.prank(treasuryOf(RegionId.wrap(i)));
            escrow.postBond(RegionId.wrap(i), 1_000);
        }
    }

    // What regions do.

    function open(uint8 who, uint16 slots) external {
        ++calls;
        AuctionTerms memory terms;
        (terms.kind, terms.latencyBoundMicros, terms.lotMbps, terms.slots) = (
            EventKind.Surge,
            1,
            100,
            5 + (slots % 90)
        );
        (terms.priceCap, terms.profile) = (Price.wrap(500), Profile.Urgent);
        vm.prank(agentOf(regionFrom(who)));
        try auction.open(regionFrom(who), terms) {} catch {}
    }

    function commit(
        uint8 which,
        uint8 who,
        uint16 price,
        uint8 lots,
        uint8 boost,
        bool ask,
        uint8 bondFactor
    ) external {
        ++calls;
        AuctionId id = auctionFrom(which);
        if (id.isNoAuction()) return;
        RegionId regionId = regionFrom(who);
        AuctionView memory v = auction.auction(id);
        SealedOrder memory o;
        (o.regionId, o.side, o.lots) = (regionId, ask ? Side.Ask : Side.Bid, 1 + (lots % 9));
        // Books that cross, and now and then a price above the cap.
        uint256 limit = ask ? 1 + (price % 300) : 180 + (uint256(price) % 330);
        o.price = Price.wrap(uint32(limit));
        o.boostBps = ask || boost % 2 != 0 ? 0 : uint16(boost) * 2;
        uint256 minBond = (limit * o.lots * v.slots) / 5 + 1;
        // A few are too small, or hide the size.
        o.bond = uint64((minBond * (9 + (bondFactor % 16))) / 10 + 100);
        o.salt = keccak256(abi.encode(id, regionId, calls));
        bytes32 c = auction.commitmentOf(id, regionId, o.side, o.price, o.lots, o.boostBps, o.salt);
        vm.prank(bondFactor % 3 == 0 ? treasuryOf(regionId) : agentOf(regionId));
        try auction.commit(id, regionId, o.side, o.bond, c) returns (uint16 index) {
            o.index = index;
            sealedOrders[id].push(o);
        } catch {}
    }

    /// @dev Commits what another region committed, and `revealAll` tries to open it as its own.
    function copy(uint8 which, uint8 who, uint8 order) external {
        ++calls;
        AuctionId id = auctionFrom(which);
        if (id.isNoAuction() || sealedOrders[id].length == 0) return;
        SealedOrder memory o = sealedOrders[id][order % sealedOrders[id].length];
        bytes32 c = auction.commitmentOf(id, o.regionId, o.side, o.price, o.lots, o.boostBps, o.salt);
        vm.prank(agentOf(regionFrom(who)));
        try auction.commit(id, regionFrom(who), o.side, o.bond, c) returns (uint16 index) {
            (o.index, o.regionId) = (index, regionFrom(who));
            copies[id].push(o);
            ++copied;
        } catch {}
    }

    /// @dev With a misbehaving token, deposits and withdrawals fail and change nothing.
    function hostileToken(uint8 mode, uint8 who, uint32 units) external {
        ++calls;
        RegionId regionId = regionFrom(who);
        token.mint(address(this), units);
        token.approve(address(escrow), units);
        token.turn(HostileToken.Mode(1 + (mode % 6)), escrow, regionId);
        bytes32 before = keccak256(abi.encode(escrow.account(regionId)));
        try escrow.deposit(regionId, units) {
            assert(units < 100 && mode % 6 == 0); // a fee of 0
        } catch {
            assert(before == keccak256(abi.encode(escrow.account(regionId))));
        }
        before = keccak256(abi.encode(escrow.account(regionId)));
        vm.prank(treasuryOf(regionId));
        try escrow.withdraw(regionId, units) {
            assert(units < 100 && mode % 6 == 0);
        } catch {
            assert(before == keccak256(abi.encode(escrow.account(regionId))));
        }
        token.turn(HostileToken.Mode.Honest, escrow, regionId);
    }

    function reveal(uint8 which, uint8 order, uint8 lie) external {
        ++calls;
        AuctionId id = auctionFrom(which);
        if (id.isNoAuction() || sealedOrders[id].length == 0) return;
        SealedOrder memory o = sealedOrders[id][order % sealedOrders[id].length];
        if (lie % 11 == 0) o.price = Price.wrap(Price.unwrap(o.price) + 1);
        if (lie % 13 == 0) o.bond += 1;
        try auction.reveal(id, o) {
            assert(lie % 11 != 0 && lie % 13 != 0);
            try auction.reveal(id, o) {
                assert(false);
            } catch {}
        } catch {}
    }

    function revealAll(uint8 which) external {
        ++calls;
        AuctionId id = auctionFrom(which);
        if (id.isNoAuction()) return;
        for (uint256 i = 0; i < copies[id].length; ++i)
            try auction.reveal(id, copies[id][i]) {
                assert(false);
            } catch {}
        auction.revealMany(id, sealedOrders[id]);
        countBoosts(id);
    }

    /// @dev Tries every certificate: no more than one may pass.
    function clear(uint8 which) external {
        ++calls;
        AuctionId id = auctionFrom(which);
        if (id.isNoAuction() || auction.phaseOf(id) != Phase.Clear) return;
        uint16 n = auction.auction(id).orders;
        for (uint16 bid = 0; bid < n; ++bid)
            for (uint16 ask = 0; ask < n; ++ask)
                try auction.clear(id, bid, ask) {
                    remember(id);
                    return;
                } catch {}
        auction.clear(id, NONE, NONE);
    }

    function cancel(uint8 which) external {
        ++calls;
        AuctionId id = auctionFrom(which);
        if (id.isNoAuction()) return;
        try auction.cancel(id) {} catch {}
    }

    function collect(uint8 which, uint8 order) external {
        ++calls;
        AuctionId id = auctionFrom(which);
        if (id.isNoAuction()) return;
        uint16[] memory one = new uint16[](1);
        one[0] = order % 7;
        try auction.collect(id, one) {} catch {}
    }

    function settle(uint8 which, uint16 epochs, uint16 missed, bool release, bool forged) external {
        ++calls;
        if (granted.length == 0) return;
        Lease memory lease = granted[which % granted.length];
        Receipt memory r;
        r.leaseId = Leases.idOf(lease.auctionId, lease.index);
        r.epochs = epochs % 3 == 0 ? epochs % 1_000 : uint32(lease.slots) * 6;
        r.available = r.epochs * 10 - (missed % 4 == 0 ? (uint32(missed) * 10) % (r.epochs * 10 + 1) : 0);
        r.release = release;
        bytes32 digest = escrow.receiptDigest(r);
        bytes memory seller = signature(lease.seller, digest);
        bytes memory buyer = signature(forged ? lease.seller : lease.buyer, digest);
        try escrow.settle(lease, proofOf(lease), r, seller, buyer) {
            assert(!forged || lease.seller == lease.buyer);
        } catch {}
    }

    /// @dev The regular end of a lease: served for the whole term, and both agents sign the last receipt.
    function serve(uint8 which) external {
        ++calls;
        if (granted.length == 0) return;
        Lease memory lease = granted[granted.length - 1 - (which % granted.length)];
        if (escrow.isSettled(lease.auctionId, lease.index)) return;
        uint256 end = lease.start + 60 * uint256(lease.slots);
        if (block.timestamp < end) vm.warp(end);
        Receipt memory r;
        (r.leaseId, r.epochs) = (Leases.idOf(lease.auctionId, lease.index), uint32(lease.slots) * 6);
        r.available = r.epochs * 10;
        bytes32 digest = escrow.receiptDigest(r);
        escrow.settle(lease, proofOf(lease), r, signature(lease.seller, digest), signature(lease.buyer, digest));
    }

    function claim(uint8 which, uint16 available, bool seller) external {
        ++calls;
        if (granted.length == 0) return;
        Lease memory lease = granted[which % granted.length];
        RegionId regionId = seller ? lease.seller : lease.buyer;
        vm.prank(agentOf(regionId));
        try escrow.claim(lease, proofOf(lease), regionId, available) {} catch {}
    }

    function settleAfterWindow(uint8 which) external {
        ++calls;
        if (granted.length == 0) return;
        Lease memory lease = granted[which % granted.length];
        try escrow.settleAfterWindow(lease, proofOf(lease)) {} catch {}
    }

    function treasury(uint8 who, uint8 what, uint32 units) external {
        ++calls;
        RegionId regionId = regionFrom(who);
        vm.prank(what % 5 == 4 ? agentOf(regionId) : treasuryOf(regionId));
        if (what % 5 == 0) try escrow.withdraw(regionId, units) {} catch {}
        else if (what % 5 == 1) try escrow.setAllowance(regionId, uint56(units) * 16) {} catch {}
        else if (what % 5 == 2) try escrow.startBondExit(regionId) {} catch {}
        else if (what % 5 == 3) try escrow.finishBondExit(regionId) {} catch {}
        else
            try escrow.withdraw(regionId, units) {
                assert(false);
            } catch {}
    }

    function fund(uint8 who, uint32 units) external {
        ++calls;
        token.mint(address(this), units);
        token.approve(address(escrow), units);
        try escrow.deposit(regionFrom(who), units) {} catch {}
    }

    function registerBudgets() external {
        ++calls;
        uint256 day = block.timestamp / 1 days;
        vm.warp((day + ((13 - ((day + 3) % 7)) % 7)) * 1 days + 1 + (block.timestamp % 1 days));
        for (uint32 i = 1; i <= REGIONS; ++i) try escrow.registerBudget(RegionId.wrap(i)) {} catch {}
    }

    function nextBlocks(uint8 count) external {
        ++calls;
        vm.roll(block.number + 1 + (count % 6));
    }

    function later(uint32 seconds_) external {
        ++calls;
        vm.warp(block.timestamp + 1 + (seconds_ % 3 hours));
    }

    function muchLater(uint8 dayCount) external {
        ++calls;
        vm.warp(block.timestamp + uint256(dayCount % 9) * 1 days);
    }

    /// @dev Calls that only another contract may make: each must be refused.
    function callWithoutRight(uint8 what, uint64 units) external {
        ++calls;
        RegionId one = RegionId.wrap(1);
        if (what % 4 == 0)
            try escrow.takeBond(one, units, false) {
                assert(false);
            } catch {}
        else if (what % 4 == 1)
            try escrow.releaseBid(one, units, false, 1, units) {
                assert(false);
            } catch {}
        else if (what % 4 == 2)
            try escrow.closeAuction(AuctionId.wrap(1), one, false, units, true, 0, bytes32(uint256(1))) {
                assert(false);
            } catch {}
        else
            try Reputation(escrow.reputation()).record(one, RegionId.wrap(2), LeaseId.wrap(0), units, 0, 1, 1, false) {
                assert(false);
            } catch {}
    }

    // Views.

    function unitsHeld() external view returns (uint256 units) {
        for (uint32 i = 1; i <= REGIONS; ++i) {
            Account memory a = escrow.account(RegionId.wrap(i));
            units += uint256(a.free) + a.locked + a.bonded + a.membershipBond;
        }
        for (uint32 i = 1; i <= auction.auctionCount(); ++i) {
            AuctionView memory v = auction.auction(AuctionId.wrap(i));
            if (v.phase != Phase.Cleared && v.phase != Phase.Cancelled) units += uint256(v.bondsHeld) + DEPOSIT;
        }
        units += escrow.pool().pool;
    }

    function leaseCount() external view returns (uint256 all, uint256 ended) {
        all = granted.length;
        for (uint256 i = 0; i < all; ++i) if (escrow.isSettled(granted[i].auctionId, granted[i].index)) ++ended;
    }

    /// @dev One honest party that brings everything to its end, whatever the others did or refuse (INV-4).
    function endEverything() external {
        vm.roll(block.number + 40);
        for (uint32 number = 1; number <= auction.auctionCount(); ++number) {
            AuctionId id = AuctionId.wrap(number);
            if (auction.phaseOf(id) == Phase.Clear) auction.cancel(id);
            OrderView[] memory orders = auction.orders(id);
            for (uint16 i = 0; i < orders.length; ++i) {
                uint16[] memory one = new uint16[](1);
                one[0] = i;
                if (orders[i].revealed && !orders[i].collected) auction.collect(id, one);
            }
        }
        vm.warp(block.timestamp + 40 days);
        for (uint256 i = 0; i < granted.length; ++i)
            if (!escrow.isSettled(granted[i].auctionId, granted[i].index))
                escrow.settleAfterWindow(granted[i], proofOf(granted[i]));
    }

    function nothingIsHeld() external view returns (bool) {
        for (uint32 i = 1; i <= REGIONS; ++i) {
            Account memory a = escrow.account(RegionId.wrap(i));
            if (a.locked != 0 || a.bonded != 0) return false;
        }
        return escrow.pool().reserved == 0;
    }

    // Helpers.

    /// @dev Finds each lease of a cleared auction by its leaf: two pointers over the fills, as the event has them.
    function remember(AuctionId id) private {
        AuctionView memory v = auction.auction(id);
        OrderView[] memory orders = auction.orders(id);
        (uint256 b, uint256 a, uint256 taken, uint256 before) = (0, 0, 0, 0);
        uint256 start = block.timestamp + 10;
        for (uint256 left = v.lotsTraded; left > 0;) {
            while (!isFilled(id, orders[b], Side.Bid)) ++b;
            while (!isFilled(id, orders[a], Side.Ask)) ++a;
            uint256 bidLeft = auction.fillOf(id, uint16(b)) - taken;
            uint256 askLeft = auction.fillOf(id, uint16(a)) - before;
            uint256 lots = bidLeft < askLeft ? bidLeft : askLeft;
            push(v, orders[b], orders[a], lots, before, start);
            (left, taken, before) = (left - lots, taken + lots, before + lots);
            if (lots == bidLeft) (b, taken) = (b + 1, 0);
            if (lots == askLeft) (a, before) = (a + 1, 0);
        }
    }

    function countBoosts(AuctionId id) private {
        OrderView[] memory orders = auction.orders(id);
        for (uint256 i = 0; i < orders.length; ++i)
            if (orders[i].revealed && orders[i].side == Side.Bid && orders[i].bps > 0) ++boosts;
    }

    function isFilled(AuctionId id, OrderView memory o, Side side) private view returns (bool) {
        return o.revealed && o.side == side && auction.fillOf(id, o.index) > 0;
    }

    function push(
        AuctionView memory v,
        OrderView memory bid,
        OrderView memory ask,
        uint256 lots,
        uint256 before,
        uint256 start
    ) private {
        Lease memory l;
        (l.auctionId, l.index) = (v.id, uint16(leasesIn[v.id]++));
        (l.seller, l.buyer, l.lots, l.before) = (ask.regionId, bid.regionId, uint32(lots), uint32(before));
        l.buyerPrice = Price.wrap(
            uint32((uint256(v.scaledPrice) + 10_000 + bid.bps - 1) / (10_000 + uint256(bid.bps)))
        );
        l.sellerPrice = Price.wrap(uint32(uint256(v.scaledPrice) / (10_000 + uint256(ask.bps))));
        l.bondShare = uint64(
            (uint256(ask.bond) * (before + lots)) / ask.lots - (uint256(ask.bond) * before) / ask.lots
        );
        (l.bid, l.ask, l.sellerByAgent, l.buyerByAgent) = (bid.index, ask.index, ask.byAgent, bid.byAgent);
        (l.start, l.slots, l.lotMbps, l.price) = (uint40(start), v.slots, v.lotMbps, v.price);
        l.week = escrow.weekOf(v.openedAt);
        granted.push(l);
    }

    /// @dev The proof, from the auction's leases as they are remembered.
    function proofOf(Lease memory lease) private view returns (bytes32[] memory proof) {
        uint256 width = leasesIn[lease.auctionId];
        bytes32[] memory level = new bytes32[](width);
        for (uint256 i = 0; i < granted.length; ++i) {
            if (AuctionId.unwrap(granted[i].auctionId) != AuctionId.unwrap(lease.auctionId)) continue;
            (level[granted[i].index], ) = Leases.leafOf(granted[i]);
        }
        proof = new bytes32[](10);
        (uint256 at_, uint256 length) = (lease.index, 0);
        for (; width > 1; width = (width + 1) / 2) {
            if (at_ ^ 1 < width) proof[length++] = level[at_ ^ 1];
            for (uint256 i = 0; i < width; i += 2)
                level[i / 2] = i + 1 < width ? pair(level[i], level[i + 1]) : level[i];
            at_ /= 2;
        }
        assembly {
            mstore(proof, length)
        }
    }

    function pair(bytes32 a, bytes32 b) private pure returns (bytes32) {
        return a < b ? keccak256(abi.encode(a, b)) : keccak256(abi.encode(b, a));
    }

    function regionFrom(uint8 who) private pure returns (RegionId) {
        return RegionId.wrap(1 + (who % REGIONS));
    }

    function auctionFrom(uint8 which) private view returns (AuctionId) {
        uint32 count = auction.auctionCount();
        uint32 back = which % 3;
        return AuctionId.wrap(count > back ? count - back : count);
    }
}
