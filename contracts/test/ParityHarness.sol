// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Side} from "../interfaces/ICapacityAuction.sol";
import {Lease, Receipt, Settlement} from "../interfaces/ILeaseEscrow.sol";
import {PairState, SellerState} from "../interfaces/IReputation.sol";
import {AuctionId, LeaseId, Price, RegionId} from "../interfaces/Types.sol";
import {Arithmetic} from "../libraries/Arithmetic.sol";
import {Clearing} from "../libraries/Clearing.sol";
import {Leases} from "../libraries/Leases.sol";
import {Order, Orders} from "../libraries/Orders.sol";
import {Receipts} from "../libraries/Receipts.sol";
import {ReputationRule} from "../libraries/ReputationRule.sol";
import {SettlementRule} from "../libraries/SettlementRule.sol";

/// @title ParityHarness: calls the libraries of the contracts with values from vector files
/// @notice For the parity test only.
contract ParityHarness {
    /// @dev An order as files have it.
    struct OrderInput {
        Side side;
        uint256 price;
        uint256 lots;
        uint256 score;
        uint256 boostBps;
    }

    /// @dev `unit`: u or r. `amount`: paid or received. `rest`: refund of a bid, the pool's part of an ask.
    struct Fill {
        uint256 lots;
        uint256 bps;
        uint256 unit;
        uint256 amount;
        uint256 rest;
        uint256 budgetReserved;
        uint256 budgetPays;
    }

    /// @dev Lots that one ask delivers to one bid.
    struct Overlap {
        uint256 seller;
        uint256 buyer;
        uint256 lots;
    }

    /// @dev One settlement of a history.
    struct Step {
        uint32 day;
        uint256 buyer;
        uint256 delivered;
        uint256 failed;
        uint256 buyerBond;
    }

    /// @dev State and scores after a settlement.
    struct After {
        uint256 sellerDelivered;
        uint256 sellerFailed;
        uint256 pairDelivered;
        uint256 pairFailed;
        uint256 score;
        uint256 scoreAfter10Days;
        uint256 scoreAfter100Days;
    }

    /// @notice The revealed words of orders.
    /// @param inputs orders by index.
    /// @param cap price cap.
    /// @return book their words.
    function bookOf(OrderInput[] memory inputs, uint256 cap) public pure returns (Order[] memory book) {
        book = new Order[](inputs.length);
        for (uint256 i = 0; i < inputs.length; ++i) {
            OrderInput memory o = inputs[i];
            bool ask = o.side == Side.Ask;
            uint256 bps = ask ? Orders.handicapOf(o.score) : o.boostBps;
            uint256 e = ask ? Orders.askEffective(o.price, bps) : Orders.bidEffective(o.price, bps, cap);
            Order sealed_ = Orders.committed(0, uint16(o.score), false);
            book[i] = sealed_.revealedAs(o.side, bps, o.lots, o.price, e, RegionId.wrap(uint32(i)), 0);
        }
    }

    /// @notice Checks a certificate.
    /// @param inputs orders by index.
    /// @param cap price cap.
    /// @param bid index of the marginal bid.
    /// @param ask index of the marginal ask.
    /// @return outcome what the certificate gives.
    /// @return price P; 0 if nothing trades.
    /// @return fills by index; empty if nothing trades.
    function clear(
        OrderInput[] calldata inputs,
        uint256 cap,
        uint16 bid,
        uint16 ask
    ) external pure returns (Clearing.Outcome memory outcome, uint256 price, Fill[] memory fills) {
        Order[] memory book = bookOf(inputs, cap);
        outcome = Clearing.check(book, bid, ask);
        if (!outcome.valid || outcome.lotsTraded == 0) return (outcome, price, fills);
        price = Arithmetic.ceilDiv(outcome.price, Orders.SCALE);
        fills = new Fill[](book.length);
        for (uint256 i = 0; i < book.length; ++i) fills[i] = fillOf(book, i, outcome, price);
    }

    /// @notice The leases of a certificate.
    /// @param inputs orders by index.
    /// @param cap price cap.
    /// @param bid index of the marginal bid.
    /// @param ask index of the marginal ask.
    /// @return overlaps one for each lease.
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

    /// @notice Replays one seller's settlements.
    /// @param steps the settlements in order.
    /// @param buyers how many buyers there are.
    /// @param fullBond membership bond of full weight.
    /// @return results state and scores after each.
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

    /// @notice The constants of ReputationRule.
    /// @return one micro-units of a reference lease.
    /// @return halfLife in days.
    /// @return ramp micro-units of full breadth.
    /// @return pairCap micro-units of one pair.
    /// @return failureWeight of failed credit.
    /// @return scale of scores.
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

    /// @notice The decay factor of some days, scaled by 2^64.
    /// @param dayCount number of days.
    /// @return factor what 2^64 decays to.
    function decayFactor(uint256 dayCount) external pure returns (uint256 factor) {
        return ReputationRule.decay(2 ** 64, dayCount);
    }

    /// @notice Settles a lease.
    /// @param terms what was agreed.
    /// @param facts what happened.
    /// @return settlement who pays what.
    function settle(
        SettlementRule.Terms calldata terms,
        SettlementRule.Facts calldata facts
    ) external pure returns (Settlement memory settlement) {
        return SettlementRule.settle(terms, facts);
    }

    /// @notice The EIP-712 hash of a receipt.
    /// @param chainId chain of the escrow.
    /// @param escrow its address.
    /// @param receipt the receipt.
    /// @return digest the hash.
    function receiptDigest(
        uint256 chainId,
        address escrow,
        Receipt calldata receipt
    ) external pure returns (bytes32 digest) {
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

    /// @notice The commitment of an order.
    /// @param chainId chain of the auction contract.
    /// @param auction its address.
    /// @param auctionId the auction.
    /// @param regionId region that orders.
    /// @param side bid or ask.
    /// @param price limit of the order.
    /// @param lots number of lots.
    /// @param boostBps boost in basis points.
    /// @param salt random value.
    /// @return hash the commitment.
    function commitment(
        uint256 chainId,
        address auction,
        AuctionId auctionId,
        RegionId regionId,
        Side side,
        Price price,
        uint32 lots,
        uint16 boostBps,
        bytes32 salt
    ) external pure returns (bytes32 hash) {
        return Orders.commitment(chainId, auction, auctionId, regionId, side, price, lots, boostBps, salt);
    }

    /// @notice Id and leaf of a lease.
    /// @param lease the lease.
    /// @return id its id.
    /// @return leaf its leaf in the Merkle tree.
    /// @return fits whether each value fits its bits.
    function leaseLeaf(Lease calldata lease) external pure returns (LeaseId id, bytes32 leaf, bool fits) {
        (leaf, fits) = Leases.leafOf(lease);
        id = Leases.idOf(lease.auctionId, lease.index);
    }

    /// @notice The Merkle root of leases.
    /// @param words one for each lease.
    /// @param start Unix second.
    /// @param slots term in slots of 60 s.
    /// @param lotMbps size of one lot in Mbit/s.
    /// @param price P, the clearing price.
    /// @param week week in which the auction was opened.
    /// @return root the root.
    function leaseRoot(
        uint256[] calldata words,
        uint40 start,
        uint16 slots,
        uint24 lotMbps,
        Price price,
        uint16 week
    ) external pure returns (bytes32 root) {
        return Leases.rootOf(words, Leases.packTerms(start, slots, lotMbps, price, week));
    }
}
