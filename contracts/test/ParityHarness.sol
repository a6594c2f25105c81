// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Side} from "../interfaces/ICapacityAuction.sol";
import {Lease, Receipt, Settlement} from "../interfaces/ILeaseEscrow.sol";
import {PairState, SellerState} from "../interfaces/IReputation.sol";
import {Clearing} from "../libraries/Clearing.sol";
import {Leases} from "../libraries/Leases.sol";
import {Order, Orders} from "../libraries/Orders.sol";
import {Receipts} from "../libraries/Receipts.sol";
import {ReputationRule} from "../libraries/ReputationRule.sol";
import {SettlementRule} from "../libraries/SettlementRule.sol";

/// @title The libraries that the contracts are made of, called by the parity test with figures from files
contract ParityHarness {
    struct OrderInput {
        Side side;
        uint256 price;
        uint256 lots;
        uint256 score;
        uint256 boostBps;
    }

    /// @param unit u or r. @param amount what is paid or received. @param rest refund of a bid, the pool's part of an ask.
    struct Fill {
        uint256 lots;
        uint256 bps;
        uint256 unit;
        uint256 amount;
        uint256 rest;
        uint256 budgetReserved;
        uint256 budgetPays;
    }

    struct Overlap {
        uint256 seller;
        uint256 buyer;
        uint256 lots;
    }

    struct Step {
        uint32 day;
        uint256 buyer;
        uint256 delivered;
        uint256 failed;
        uint256 buyerBond;
    }

    struct After {
        uint256 sellerDelivered;
        uint256 sellerFailed;
        uint256 pairDelivered;
        uint256 pairFailed;
        uint256 score;
        uint256 scoreAfter10Days;
        uint256 scoreAfter100Days;
    }

    function bookOf(OrderInput[] memory inputs, uint256 cap) public pure returns (Order[] memory book) {
        book = new Order[](inputs.length);
        for (uint256 i = 0; i < inputs.length; ++i) {
            OrderInput memory o = inputs[i];
            bool ask = o.side == Side.Ask;
            uint256 bps = ask ? Orders.handicapOf(o.score) : o.boostBps;
            uint256 e = ask ? Orders.askEffective(o.price, bps) : Orders.bidEffective(o.price, bps, cap);
            Order sealed_ = Orders.committed(0, uint16(o.score), false);
            book[i] = sealed_.shown(o.side, bps, o.lots, o.price, e, i, 0);
        }
    }

    function clear(
        OrderInput[] calldata inputs,
        uint256 cap,
        uint16 bid,
        uint16 ask
    ) external pure returns (Clearing.Outcome memory outcome, uint256 price, Fill[] memory fills) {
        Order[] memory book = bookOf(inputs, cap);
        outcome = Clearing.check(book, bid, ask);
        if (!outcome.valid || outcome.lotsTraded == 0) return (outcome, price, fills);
        price = Orders.ceilDiv(outcome.price, Orders.SCALE);
        fills = new Fill[](book.length);
        for (uint256 i = 0; i < book.length; ++i) fills[i] = fillOf(book, i, outcome, price);
    }

    function leases(
        OrderInput[] calldata inputs,
        uint256 cap,
        uint16 bid,
        uint16 ask
    ) external pure returns (Overlap[] memory overlaps) {
        Order[] memory book = bookOf(inputs, cap);
        uint256[] memory words = Clearing.leases(book, Clearing.check(book, bid, ask));
        overlaps = new Overlap[](words.length);
        for (uint256 i = 0; i < words.length; ++i)
            overlaps[i] = Overlap((words[i] >> 9) & 0x1ff, words[i] & 0x1ff, (words[i] >> 168) & 0xfffff);
    }

    function fillOf(
        Order[] memory book,
        uint256 i,
        Clearing.Outcome memory outcome,
        uint256 price
    ) private pure returns (Fill memory f) {
        Order order = book[i];
        (uint256 rank, uint256 won) = order.isAsk()
            ? (outcome.askRank, outcome.askFill)
            : (outcome.bidRank, outcome.bidFill);
        f.lots = Clearing.fillOf(order, i, rank, won);
        f.bps = order.bps();
        f.unit = order.isAsk() ? order.sellerUnitDown(outcome.price) : order.buyerUnitUp(outcome.price);
        f.amount = f.lots * f.unit;
        if (order.isAsk()) {
            f.rest = f.lots * (price - f.unit);
        } else {
            f.rest = order.lots() * order.price() - f.amount;
            f.budgetReserved = Orders.budgetNeed(order.effective(), order.bps()) * order.lots();
            f.budgetPays = f.lots * (price - f.unit);
        }
    }

    function replay(
        Step[] calldata steps,
        uint256 buyers,
        uint256 fullBond
    ) external pure returns (After[] memory results) {
        results = new After[](steps.length);
        SellerState memory seller;
        PairState[] memory pairs = new PairState[](buyers);
        for (uint256 i = 0; i < steps.length; ++i) {
            Step calldata s = steps[i];
            PairState memory pair = pairs[s.buyer];
            ReputationRule.settle(seller, pair, s.delivered, s.failed, s.buyerBond, fullBond, s.day);
            results[i] = After({
                sellerDelivered: seller.delivered,
                sellerFailed: seller.failed,
                pairDelivered: pair.delivered,
                pairFailed: pair.failed,
                score: ReputationRule.scoreAt(seller, s.day),
                scoreAfter10Days: ReputationRule.scoreAt(seller, s.day + 10),
                scoreAfter100Days: ReputationRule.scoreAt(seller, s.day + 100)
            });
        }
    }

    function reputationConstants()
        external
        pure
        returns (uint256 one, uint256 halfLife, uint256 ramp, uint256 pairCap, uint256 failureWeight, uint256 scale)
    {
        return (
            ReputationRule.ONE,
            ReputationRule.HALF_LIFE_DAYS,
            ReputationRule.RAMP,
            ReputationRule.PAIR_CAP,
            ReputationRule.FAILURE_WEIGHT,
            ReputationRule.SCALE
        );
    }

    /// @dev 2^64 decays to the constant itself.
    function decayFactor(uint256 dayCount) external pure returns (uint256) {
        return ReputationRule.decay(2 ** 64, dayCount);
    }

    function settle(
        SettlementRule.Terms calldata terms,
        SettlementRule.Facts calldata facts
    ) external pure returns (Settlement memory) {
        return SettlementRule.settle(terms, facts);
    }

    function receiptDigest(uint256 chainId, address escrow, Receipt calldata receipt) external pure returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("Ephemesh"),
                keccak256("1"),
                chainId,
                escrow
            )
        );
        return keccak256(abi.encodePacked(hex"1901", domain, Receipts.hash(receipt)));
    }

    function commitment(
        uint256 chainId,
        address auction,
        uint32 auctionId,
        uint32 regionId,
        Side side,
        uint32 price,
        uint32 lots,
        uint16 boostBps,
        bytes32 salt
    ) external pure returns (bytes32) {
        return Orders.commitment(chainId, auction, auctionId, regionId, side, price, lots, boostBps, salt);
    }

    function leaseLeaf(Lease calldata lease) external pure returns (bytes32 id, bytes32 leaf, bool fits) {
        (leaf, fits) = Leases.leafOf(lease);
        id = Leases.idOf(lease.auctionId, lease.index);
    }

    function leaseRoot(
        uint256[] calldata words,
        uint40 start,
        uint16 slots,
        uint24 lotMbps,
        uint32 price,
        uint16 week
    ) external pure returns (bytes32) {
        return Leases.rootOf(words, Leases.packTerms(start, slots, lotMbps, price, week));
    }
}
