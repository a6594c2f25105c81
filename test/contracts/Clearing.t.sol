// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Side} from "../../contracts/interfaces/ICapacityAuction.sol";
import {RegionId} from "../../contracts/interfaces/Types.sol";
import {Arithmetic} from "../../contracts/libraries/Arithmetic.sol";
import {Clearing} from "../../contracts/libraries/Clearing.sol";
import {Order, Orders} from "../../contracts/libraries/Orders.sol";

/// @notice The certificate's one pass against a reference that matches lot by lot, on books with many ties.
contract ClearingTest {
    uint256 private constant CAP = 60;

    /// @dev The result of matching lot by lot, without sorting: the best order of each side, again and again.
    struct Reference {
        uint256 lots;
        uint16 bid;
        uint16 ask;
        uint256[] fills;
    }

    function testFuzz_ExactlyOneCertificatePasses(uint256 seed) external pure {
        Order[] memory book = bookOf(seed);
        Reference memory expected = walk(book);
        uint256 passed = 0;
        for (uint16 bid = 0; bid < book.length; ++bid)
            for (uint16 ask = 0; ask < book.length; ++ask)
                if (Clearing.check(book, bid, ask).valid) {
                    ++passed;
                    assert(bid == expected.bid && ask == expected.ask);
                }
        bool empty = Clearing.check(book, Clearing.NONE, Clearing.NONE).valid;
        assert(empty == (expected.lots == 0));
        assert(passed == (empty ? 0 : 1));
        if (book.length > 0) assert(!Clearing.check(book, Clearing.NONE, 0).valid);
        assert(!Clearing.check(book, uint16(book.length), uint16(book.length)).valid);
    }

    /// @dev INV-5: fair clearing.
    function testFuzz_NobodyIsWorseThanItsLimit(uint256 seed) external pure {
        Order[] memory book = bookOf(seed);
        Reference memory expected = walk(book);
        if (expected.lots == 0) return;
        Clearing.Outcome memory o = Clearing.check(book, expected.bid, expected.ask);
        assert(o.lotsTraded == expected.lots);
        uint256 price = Arithmetic.ceilDiv(o.price, Orders.SCALE);
        (uint256 paid, uint256 budgets, uint256 received, uint256 pool) = (0, 0, 0, 0);
        for (uint256 i = 0; i < book.length; ++i) {
            Order order = book[i];
            if (!order.isRevealed()) continue;
            uint256 fill =
                order.isAsk()
                    ? Clearing.fillOf(order, i, o.askRank, o.askFill)
                    : Clearing.fillOf(order, i, o.bidRank, o.bidFill);
            assert(fill == expected.fills[i]);
            if (fill == 0) continue;
            if (order.isAsk()) {
                uint256 unit = order.sellerUnitDown(o.price);
                assert(unit >= order.price() && unit <= price);
                (received, pool) = (received + fill * unit, pool + fill * (price - unit));
            } else {
                uint256 unit = order.buyerUnitUp(o.price);
                assert(unit <= order.price() && unit <= price);
                // What was reserved of the budget at the reveal is enough.
                assert(price - unit <= Orders.budgetNeed(order.effective(), order.bps()));
                (paid, budgets) = (paid + fill * unit, budgets + fill * (price - unit));
            }
        }
        assert(paid + budgets == received + pool);
    }

    /// @dev Leases add up to the fills of both sides, and bond shares never to more than the bond.
    function testFuzz_LeasesAddUpToFills(uint256 seed) external pure {
        Order[] memory book = bookOf(seed);
        Reference memory expected = walk(book);
        if (expected.lots == 0) return;
        Clearing.Outcome memory o = Clearing.check(book, expected.bid, expected.ask);
        uint256[] memory words = Clearing.leases(book, o);
        assert(words.length < book.length);
        uint256[] memory leased = new uint256[](book.length);
        uint256[] memory shares = new uint256[](book.length);
        for (uint256 i = 0; i < words.length; ++i) {
            (uint256 bid, uint256 ask, uint256 lots) = (
                words[i] & 511,
                (words[i] >> 9) & 511,
                (words[i] >> 168) & 0xfffff
            );
            assert(lots > 0 && !book[bid].isAsk() && book[ask].isAsk());
            assert(((words[i] >> 148) & 0xfffff) == leased[ask]);
            assert(RegionId.wrap(uint32(words[i] >> 188)) == book[bid].regionId());
            assert(RegionId.wrap(uint32(words[i] >> 220)) == book[ask].regionId());
            leased[bid] += lots;
            leased[ask] += lots;
            shares[ask] += uint64(words[i] >> 20);
        }
        for (uint256 i = 0; i < book.length; ++i) {
            assert(leased[i] == expected.fills[i]);
            if (book[i].isRevealed() && book[i].isAsk())
                assert(shares[i] == (book[i].bond() * leased[i]) / book[i].lots());
        }
    }

    function bookOf(uint256 seed) private pure returns (Order[] memory book) {
        book = new Order[](seed % 11);
        for (uint256 i = 0; i < book.length; ++i) {
            uint256 r = uint256(keccak256(abi.encode(seed, i)));
            if (r % 9 == 0) continue; // never revealed
            (uint256 score, uint256 price, uint256 lots) = (
                ((r >> 8) % 4) * 333,
                1 + ((r >> 16) % CAP),
                1 + ((r >> 24) % 6)
            );
            bool ask = (r >> 40) % 2 == 0;
            uint256 bps = ask ? Orders.handicapOf(score) : (r >> 48) % (Orders.maxBoost(score) + 1);
            uint256 e = ask ? Orders.askEffective(price, bps) : Orders.bidEffective(price, bps, CAP);
            Order sealed_ = Orders.committed(0, uint16(score), (r >> 60) % 2 == 0);
            book[i] = sealed_.revealedAs(
                ask ? Side.Ask : Side.Bid,
                bps,
                lots,
                price,
                e,
                RegionId.wrap(uint32(i + 1)),
                (r >> 70) % 100_000
            );
        }
    }

    function walk(Order[] memory book) private pure returns (Reference memory r) {
        r.fills = new uint256[](book.length);
        while (true) {
            (uint256 bid, uint256 ask) = (best(book, r.fills, false), best(book, r.fills, true));
            if (bid == book.length || ask == book.length || book[bid].effective() < book[ask].effective()) return r;
            ++r.fills[bid];
            ++r.fills[ask];
            ++r.lots;
            (r.bid, r.ask) = (uint16(bid), uint16(ask));
        }
    }

    function best(Order[] memory book, uint256[] memory fills, bool asks) private pure returns (uint256 found) {
        found = book.length;
        for (uint256 i = 0; i < book.length; ++i) {
            Order o = book[i];
            if (!o.isRevealed() || o.isAsk() != asks || fills[i] == o.lots()) continue;
            if (found == book.length || better(o, book[found], asks)) found = i;
        }
    }

    /// @dev By E, then the higher score; the earlier commit was found first.
    function better(Order one, Order other, bool asks) private pure returns (bool) {
        if (one.effective() != other.effective()) return asks == (one.effective() < other.effective());
        return one.score() > other.score();
    }
}
