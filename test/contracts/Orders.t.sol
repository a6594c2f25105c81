// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Side} from "../../contracts/interfaces/ICapacityAuction.sol";
import {Lease} from "../../contracts/interfaces/ILeaseEscrow.sol";
import {RegionId} from "../../contracts/interfaces/Types.sol";
import {Leases} from "../../contracts/libraries/Leases.sol";
import {Order, Orders} from "../../contracts/libraries/Orders.sol";

contract OrdersTest {
    function test_ScoresGiveBoostsAndHandicapsExactly() external pure {
        for (uint256 score = 0; score <= 1000; ++score) {
            assert(Orders.maxBoost(score) == (score * 5) / 2);
            assert(Orders.handicapOf(score) == 1000 - score);
        }
    }

    /// @dev A rank orders by E, then score, then the earlier commit.
    function testFuzz_RanksAreTheOrderOfThreeFigures(uint256 seed, bool ask) external pure {
        uint256[2] memory e;
        uint256[2] memory score;
        uint256[2] memory index;
        Order[2] memory order;
        for (uint256 i = 0; i < 2; ++i) {
            uint256 r = uint256(keccak256(abi.encode(seed, i)));
            // Neighbours in every figure are likely.
            e[i] = (seed % 2 ** 45) + (r % 3);
            score[i] = (r >> 8) % 4 == 0 ? (r >> 16) % 1001 : 511 + ((r >> 16) % 3);
            index[i] = (r >> 32) % 512;
            Order sealed_ = Orders.committed(0, uint16(score[i]), false);
            order[i] = sealed_.revealedAs(ask ? Side.Ask : Side.Bid, 0, 1, 1, e[i], RegionId.wrap(1), 1);
        }
        if (index[0] == index[1]) return;
        bool first = index[0] < index[1];
        if (score[0] != score[1]) first = score[0] > score[1];
        if (e[0] != e[1]) first = ask == (e[0] < e[1]);
        if (ask) assert(first == (order[0].askRank(index[0]) < order[1].askRank(index[1])));
        else assert(first == (order[0].bidRank(index[0]) > order[1].bidRank(index[1])));
    }

    /// @dev Each value is read from a word as it was written, also at the ends of its range.
    function testFuzz_AWordHoldsAnOrder(uint256 r, bool ask, bool agent) external pure {
        bool ends = r % 2 == 0;
        uint256 score = ends ? 1000 : (r >> 1) % 1001;
        uint256 bps = ends ? 2500 : (r >> 11) % 2501;
        uint256 lots = ends ? Orders.MAX_LOTS : 1 + ((r >> 23) % Orders.MAX_LOTS);
        uint256 price = ends ? type(uint32).max : uint32(r >> 43);
        uint256 e = price * (10_000 + bps);
        RegionId region = RegionId.wrap(ends ? type(uint32).max : uint32(r >> 75));
        uint256 bond = ends ? type(uint64).max : uint64(r >> 107);
        Order o = Orders.committed(bytes32(r) & ~bytes32(uint256(0xffff)), uint16(score), agent);
        assert(!o.isRevealed() && o.score() == score && o.byAgent() == agent && !o.isCollected());
        o = o.revealedAs(ask ? Side.Ask : Side.Bid, bps, lots, price, e, region, bond);
        for (uint256 i = 0; i < 2; ++i) {
            assert(o.isRevealed() && o.isAsk() == ask && o.byAgent() == agent && o.score() == score);
            assert(o.bps() == bps && o.lots() == lots && o.price() == price && o.effective() == e);
            assert(o.regionId() == region && o.bond() == bond && o.isCollected() == (i == 1));
            o = o.collected();
        }
    }

    /// @dev A value that is too large for its bits is refused: 512 as the index of an ask would set a bit of its neighbour.
    function test_ALeaseThatDoesNotFitItsWordIsRefused() external pure {
        Lease memory lease;
        (lease.lots, lease.before, lease.bid, lease.ask) = (2 ** 20 - 1, 2 ** 20 - 1, 511, 511);
        assert(isFit(lease));
        lease.lots = 2 ** 20;
        assert(!isFit(lease));
        (lease.lots, lease.before) = (1, 2 ** 20);
        assert(!isFit(lease));
        (lease.before, lease.bid) = (0, 512);
        assert(!isFit(lease));
        (lease.bid, lease.ask) = (0, 512);
        assert(!isFit(lease));
    }

    function isFit(Lease memory lease) private pure returns (bool fits) {
        (, fits) = Leases.leafOf(lease);
    }
}
