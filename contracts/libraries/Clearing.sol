// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Order, Orders} from "./Orders.sol";
import {Leases} from "./Leases.sol";

/// @title Clearing: checks a certificate in one unsorted pass, and makes the leases
/// @notice If orders trade, exactly one certificate passes; if none does, (NONE, NONE) passes.
library Clearing {
    uint16 internal constant NONE = type(uint16).max;

    /// @dev What a certificate gives: K, the last bid with a fill, and L, the last ask; their ranks and fills in lots;
    /// the clearing price and its bounds, scaled by 10^4.
    struct Outcome {
        bool valid;
        uint256 bid;
        uint256 ask;
        uint256 bidRank;
        uint256 askRank;
        uint256 lotsTraded;
        uint256 bidFill;
        uint256 askFill;
        uint256 low;
        uint256 high;
        uint256 price;
    }

    /// @dev What the pass counts of one side: lots ranked at or before the marginal order, and the best E after it.
    struct Half {
        uint256 lots;
        uint256 next;
    }

    /// @dev A walk over one side's fills: index of the next order to look at; the current order, the lots that it won,
    /// those of them not leased yet, its part of a lease's word, and the part of its bond that its leases have so far.
    struct Cursor {
        uint256 next;
        Order order;
        uint256 fill;
        uint256 left;
        uint256 bits;
        uint256 bondLeased;
    }

    /// @dev Checks a certificate. `book`: all orders by index; those not revealed are ignored.
    function check(Order[] memory book, uint16 bid, uint16 ask) internal pure returns (Outcome memory) {
        return bid == NONE && ask == NONE ? checkEmpty(book) : checkTrade(book, bid, ask);
    }

    function checkEmpty(Order[] memory book) private pure returns (Outcome memory outcome) {
        uint256 bestBid = 0;
        uint256 bestAsk = Orders.NO_ASK;
        for (uint256 i = 0; i < book.length; ++i) {
            if (!book[i].isRevealed()) continue;
            uint256 effective = book[i].effective();
            if (book[i].isAsk()) {
                if (effective < bestAsk) bestAsk = effective;
            } else if (effective > bestBid) bestBid = effective;
        }
        outcome.valid = bestBid < bestAsk;
        (outcome.bid, outcome.ask) = (NONE, NONE);
    }

    function checkTrade(Order[] memory book, uint256 bid, uint256 ask) private pure returns (Outcome memory outcome) {
        if (bid >= book.length || ask >= book.length) return outcome;
        Order lastBid = book[bid];
        Order lastAsk = book[ask];
        if (!lastBid.isRevealed() || lastBid.isAsk() || !lastAsk.isRevealed() || !lastAsk.isAsk()) return outcome;

        (outcome.bidRank, outcome.askRank) = (lastBid.bidRank(bid), lastAsk.askRank(ask));
        (Half memory bids, Half memory asks) = pass(book, outcome.bidRank, outcome.askRank);
        uint256 traded = bids.lots < asks.lots ? bids.lots : asks.lots;
        // Both marginal orders must trade.
        if (bids.lots >= traded + lastBid.lots() || asks.lots >= traded + lastAsk.lots()) return outcome;
        // What is left of a marginal order counts as the best order after it.
        if (bids.lots > traded) bids.next = lastBid.effective();
        if (asks.lots > traded) asks.next = lastAsk.effective();
        if (lastBid.effective() < lastAsk.effective() || bids.next >= asks.next) return outcome;

        outcome.valid = true;
        (outcome.bid, outcome.ask, outcome.lotsTraded) = (bid, ask, traded);
        outcome.bidFill = traded + lastBid.lots() - bids.lots;
        outcome.askFill = traded + lastAsk.lots() - asks.lots;
        outcome.low = bids.next > lastAsk.effective() ? bids.next : lastAsk.effective();
        outcome.high = lastBid.effective() < asks.next ? lastBid.effective() : asks.next;
        outcome.price = outcome.low + (outcome.high - outcome.low) / 2;
    }

    /// @dev Unchecked: 512 orders of 20 bits of lots each cannot overflow a sum.
    function pass(
        Order[] memory book,
        uint256 bidRank,
        uint256 askRank
    ) private pure returns (Half memory bids, Half memory asks) {
        (uint256 bidLots, uint256 nextBid, uint256 askLots, uint256 nextAsk) = (0, 0, 0, Orders.NO_ASK);
        uint256 length = book.length;
        unchecked {
            for (uint256 i = 0; i < length; ++i) {
                Order order = peek(book, i);
                if (!order.isRevealed()) continue;
                if (order.isAsk()) {
                    if (order.askRank(i) <= askRank) askLots += order.lots();
                    else if (order.effective() < nextAsk) nextAsk = order.effective();
                } else {
                    if (order.bidRank(i) >= bidRank) bidLots += order.lots();
                    else if (order.effective() > nextBid) nextBid = order.effective();
                }
            }
        }
        (bids.lots, bids.next, asks.lots, asks.next) = (bidLots, nextBid, askLots, nextAsk);
    }

    /// @dev Lots that an order won: all before the marginal order, its fill at it, none after it.
    function fillOf(
        Order order,
        uint256 index,
        uint256 marginalRank,
        uint256 marginalFill
    ) internal pure returns (uint256) {
        // The index is part of the rank: orders of equal rank are the same order.
        bool ask = order.isAsk();
        uint256 rank = ask ? order.askRank(index) : order.bidRank(index);
        if (rank == marginalRank) return marginalFill;
        return ask == (rank < marginalRank) ? order.lots() : 0;
    }

    /// @dev The overlaps of the fills of both sides, by two pointers in commit order, packed by `Leases`.
    function leases(Order[] memory book, Outcome memory outcome) internal pure returns (uint256[] memory words) {
        if (outcome.lotsTraded == 0) return words;
        words = new uint256[](book.length - 1);
        Cursor memory bid;
        Cursor memory ask;
        uint256 count = 0;
        unchecked {
            for (uint256 left = outcome.lotsTraded; left > 0;) {
                if (bid.left == 0) {
                    toNextFill(book, bid, false, outcome.bidRank, outcome.bidFill);
                    bid.bits = Leases.bidBits(bid.order, bid.next - 1, outcome.price);
                }
                if (ask.left == 0) {
                    toNextFill(book, ask, true, outcome.askRank, outcome.askFill);
                    ask.bondLeased = 0;
                    ask.bits = Leases.askBits(ask.order, ask.next - 1, outcome.price);
                }
                uint256 lots = bid.left < ask.left ? bid.left : ask.left;
                uint256 before = ask.fill - ask.left;
                // Differences of one running quotient: shares add up to ⌊bond · filled / lots⌋.
                uint256 bondLeased = (ask.order.bond() * (before + lots)) / ask.order.lots();
                put(words, count, bid.bits | ask.bits | Leases.lotBits(bondLeased - ask.bondLeased, before, lots));
                ++count;
                ask.bondLeased = bondLeased;
                bid.left -= lots;
                ask.left -= lots;
                left -= lots;
            }
        }
        assembly ("memory-safe") {
            mstore(words, count)
        }
    }

    /// @dev As long as lots are left to lease, both sides have a next fill.
    function toNextFill(
        Order[] memory book,
        Cursor memory cursor,
        bool asks,
        uint256 marginalRank,
        uint256 marginalFill
    ) private pure {
        uint256 i = cursor.next;
        unchecked {
            for (uint256 fill = 0; fill == 0; ++i) {
                Order order = peek(book, i);
                if (!order.isRevealed() || order.isAsk() != asks) continue;
                fill = fillOf(order, i, marginalRank, marginalFill);
                if (fill != 0) (cursor.order, cursor.fill, cursor.left) = (order, fill, fill);
            }
        }
        cursor.next = i;
    }

    function put(uint256[] memory words, uint256 i, uint256 word) private pure {
        assembly ("memory-safe") {
            mstore(add(add(words, 0x20), shl(5, i)), word)
        }
    }

    /// @dev Without a bounds check: the loops have made it.
    function peek(Order[] memory book, uint256 i) private pure returns (Order order) {
        assembly ("memory-safe") {
            order := mload(add(add(book, 0x20), shl(5, i)))
        }
    }
}
