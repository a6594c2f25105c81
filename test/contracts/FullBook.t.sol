// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {
    EventKind,
    ICapacityAuction,
    AuctionTerms,
    Phase,
    Profile,
    SealedOrder,
    Side
} from "../../contracts/interfaces/ICapacityAuction.sol";
import {Account} from "../../contracts/interfaces/ILeaseEscrow.sol";
import {AuctionId, Price, RegionId} from "../../contracts/interfaces/Types.sol";
import {TestMarket} from "./TestMarket.sol";
import {vm} from "./Vm.sol";

/// @notice 512 orders of the largest figures that money in 64 bits allows.
contract FullBookTest is TestMarket {
    AuctionId private constant AUCTION = AuctionId.wrap(1);
    RegionId private constant OPENER = RegionId.wrap(1);
    RegionId private constant LATECOMER = RegionId.wrap(ORDERS + 1);
    uint32 private constant ORDERS = 512;
    uint32 private constant PRICE = type(uint32).max;
    uint32 private constant LOTS = 1_000_000;
    uint64 private constant AMOUNT = uint64(PRICE) * LOTS * 5;
    uint64 private constant BOND = AMOUNT / 5;
    uint256 private constant MAX_GAS = 15_000_000;

    SealedOrder[] private orders;

    function setUp() public {
        for (uint32 i = 1; i <= ORDERS + 1; ++i) admit(i, AMOUNT + BOND, 0);
        AuctionTerms memory terms;
        (terms.kind, terms.latencyBoundMicros, terms.lotMbps, terms.slots) = (EventKind.Surge, 1, 10, 5);
        (terms.priceCap, terms.profile) = (Price.wrap(PRICE), Profile.Urgent);
        vm.prank(treasuryOf(OPENER));
        auction.open(OPENER, terms);
        for (uint32 i = 1; i <= ORDERS; ++i) {
            Side side = i % 2 == 0 ? Side.Ask : Side.Bid;
            uint32 price = side == Side.Bid ? PRICE - i : PRICE / 2 - i;
            (RegionId id, bytes32 salt) = (RegionId.wrap(i), bytes32(uint256(i)));
            orders.push(SealedOrder(uint16(i - 1), id, side, Price.wrap(price), LOTS, 0, BOND, salt));
            bytes32 c = auction.commitmentOf(AUCTION, id, side, Price.wrap(price), LOTS, 0, salt);
            vm.prank(treasuryOf(id));
            auction.commit(AUCTION, id, side, BOND, c);
        }
    }

    /// @dev Commits beyond 512 are refused; a full book can be ended by transactions of bounded gas (INV-4).
    function test_AFullBookOfTheLargestOrdersEnds() external {
        vm.prank(treasuryOf(LATECOMER));
        try auction.commit(AUCTION, LATECOMER, Side.Bid, BOND, 0) {
            assert(false);
        } catch (bytes memory reason) {
            assert(bytes4(reason) == ICapacityAuction.BookFull.selector);
        }
        vm.roll(block.number + 5);
        for (uint256 from = 0; from < ORDERS; from += 128) {
            SealedOrder[] memory some = new SealedOrder[](128);
            for (uint256 i = 0; i < 128; ++i) some[i] = orders[from + i];
            uint256 before = gasleft();
            assert(auction.revealMany(AUCTION, some) == 128);
            assert(before - gasleft() < MAX_GAS);
        }
        assert(auction.phaseOf(AUCTION) == Phase.Clear);
        uint256 left = gasleft();
        // Everybody trades: the lowest bid came last, the highest ask first.
        auction.clear(AUCTION, 510, 1);
        assert(left - gasleft() < 2_200_000);
        assert(auction.auction(AUCTION).lotsTraded == 256 * LOTS);
        collectAll();
        requireSolvent();
    }

    function test_AFullBookThatNobodyClearsIsCancelled() external {
        vm.roll(block.number + 5);
        for (uint256 i = 0; i < 20; ++i) auction.reveal(AUCTION, orders[i]);
        vm.roll(block.number + 20);
        uint256 before = gasleft();
        auction.cancel(AUCTION);
        assert(before - gasleft() < MAX_GAS);
        uint16[] memory shown = new uint16[](20);
        for (uint16 i = 0; i < 20; ++i) shown[i] = i;
        auction.collect(AUCTION, shown);
        assert(escrow.pool().pool == uint64(ORDERS - 20) * BOND);
        requireSolvent();
    }

    function collectAll() private {
        for (uint16 from = 0; from < ORDERS; from += 128) {
            uint16[] memory some = new uint16[](128);
            for (uint16 i = 0; i < 128; ++i) some[i] = from + i;
            uint256 before = gasleft();
            auction.collect(AUCTION, some);
            assert(before - gasleft() < MAX_GAS);
        }
    }

    function requireSolvent() private view {
        uint256 units = escrow.pool().pool;
        for (uint32 i = 1; i <= ORDERS + 1; ++i) {
            Account memory a = escrow.account(RegionId.wrap(i));
            units += uint256(a.free) + a.locked + a.bonded + a.membershipBond;
        }
        assert(token.balanceOf(address(escrow)) == units);
    }
}
