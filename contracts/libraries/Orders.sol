// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Arithmetic} from "./Arithmetic.sol";
import {Side} from "../interfaces/ICapacityAuction.sol";
import {AuctionId, Price, RegionId} from "../interfaces/Types.sol";

/// @notice One order in one storage word, before and after its reveal.
///
/// From the lowest bit: revealed 1 · agent 1 · score 10 · collected 1 · side 1 · boost or handicap 12 · lots 20 ·
/// price 32 · E 46 · region 32 · bond 64. Until the reveal the upper 240 bits are those of the sealed order's hash.
/// The price is stored too, since the cap may lower E.
type Order is uint256;

using Orders for Order global;

/// @title Orders: commitments, the word of an order, prices and ranks
/// @notice E, the effective price, is scaled by 10^4.
library Orders {
    uint256 internal constant SCALE = 10_000;
    uint256 internal constant MAX_LOTS = 1_000_000;
    /// @dev Above every E, for "no ask".
    uint256 internal constant NO_ASK = 2 ** 48 - 1;
    uint256 private constant REVEALED = 1;
    uint256 private constant COLLECTED = 1 << 12;
    uint256 private constant HASH = ~uint256(0xffff);

    bytes32 private constant DOMAIN = keccak256("ephemesh.order.v1");

    // Sealed.

    /// @dev Binds chain, contract, auction and region, so that a copy is worthless (INV-3).
    function commitment(
        uint256 chainId,
        address auction,
        AuctionId auctionId,
        RegionId regionId_,
        Side side_,
        Price price_,
        uint32 lots_,
        uint16 boostBps,
        bytes32 salt
    ) internal pure returns (bytes32) {
        return
            keccak256(abi.encode(DOMAIN, chainId, auction, auctionId, regionId_, side_, price_, lots_, boostBps, salt));
    }

    function seal(
        bytes32 commitment_,
        Side side_,
        RegionId regionId_,
        uint64 bond_,
        uint256 index
    ) internal pure returns (bytes32) {
        return keccak256(abi.encode(commitment_, side_, regionId_, bond_, index)) & bytes32(HASH);
    }

    function committed(bytes32 sealed_, uint16 score_, bool agent) internal pure returns (Order) {
        return Order.wrap(uint256(sealed_) | (uint256(score_) << 2) | (agent ? 2 : 0));
    }

    function matches(Order order, bytes32 sealed_) internal pure returns (bool) {
        return bytes32(Order.unwrap(order) & HASH) == sealed_;
    }

    function sealOf(Order order) internal pure returns (bytes32) {
        return bytes32(Order.unwrap(order) & HASH);
    }

    // Revealed.

    /// @dev The revealed word of a sealed order; score and agent stay as committed.
    function revealedAs(
        Order sealed_,
        Side side_,
        uint256 bps_,
        uint256 lots_,
        uint256 price_,
        uint256 effective_,
        RegionId regionId_,
        uint256 bond_
    ) internal pure returns (Order) {
        uint256 word = REVEALED | (Order.unwrap(sealed_) & (2 | (0x3ff << 2))) | (uint256(side_) << 13);
        word |=
            (bps_ << 14) |
            (lots_ << 26) |
            (price_ << 46) |
            (effective_ << 78) |
            (uint256(RegionId.unwrap(regionId_)) << 124) |
            (bond_ << 156);
        return Order.wrap(word);
    }

    function collected(Order order) internal pure returns (Order) {
        return Order.wrap(Order.unwrap(order) | COLLECTED);
    }

    function isRevealed(Order order) internal pure returns (bool) {
        return Order.unwrap(order) & REVEALED != 0;
    }

    function isCollected(Order order) internal pure returns (bool) {
        return Order.unwrap(order) & COLLECTED != 0;
    }

    function byAgent(Order order) internal pure returns (bool) {
        return Order.unwrap(order) & 2 != 0;
    }

    function score(Order order) internal pure returns (uint256) {
        return (Order.unwrap(order) >> 2) & 0x3ff;
    }

    function isAsk(Order order) internal pure returns (bool) {
        return (Order.unwrap(order) >> 13) & 1 == 1;
    }

    function bps(Order order) internal pure returns (uint256) {
        return (Order.unwrap(order) >> 14) & 0xfff;
    }

    function lots(Order order) internal pure returns (uint256) {
        return (Order.unwrap(order) >> 26) & 0xfffff;
    }

    function price(Order order) internal pure returns (uint256) {
        return (Order.unwrap(order) >> 46) & 0xffffffff;
    }

    function effective(Order order) internal pure returns (uint256) {
        return (Order.unwrap(order) >> 78) & 0x3fffffffffff;
    }

    function regionId(Order order) internal pure returns (RegionId) {
        return RegionId.wrap(uint32(Order.unwrap(order) >> 124));
    }

    function bond(Order order) internal pure returns (uint256) {
        return (Order.unwrap(order) >> 156) & 0xffffffffffffffff;
    }

    // Prices and ranks.

    /// @dev E of a bid: its price raised by the boost, at most the cap.
    function bidEffective(uint256 price_, uint256 boost, uint256 cap) internal pure returns (uint256) {
        uint256 raised = price_ * (SCALE + boost);
        return raised < cap * SCALE ? raised : cap * SCALE;
    }

    /// @dev E of an ask: its price raised by the handicap.
    function askEffective(uint256 price_, uint256 handicap) internal pure returns (uint256) {
        return price_ * (SCALE + handicap);
    }

    function handicapOf(uint256 score_) internal pure returns (uint256) {
        return 1000 - score_;
    }

    function maxBoost(uint256 score_) internal pure returns (uint256) {
        return (2500 * score_) / 1000;
    }

    /// @dev The most that a boosted bid can cost its budget, per lot and slot.
    function budgetNeed(uint256 effective_, uint256 boost) internal pure returns (uint256) {
        return boost == 0 ? 0 : Arithmetic.ceilDiv(effective_, SCALE) - effective_ / (SCALE + boost);
    }

    /// @dev u: what a bid pays per lot and slot at the scaled clearing price p.
    function buyerUnitUp(Order order, uint256 p) internal pure returns (uint256) {
        unchecked {
            return Arithmetic.ceilDiv(p, SCALE + order.bps());
        }
    }

    /// @dev r: what an ask receives per lot and slot at the scaled clearing price p.
    function sellerUnitDown(Order order, uint256 p) internal pure returns (uint256) {
        unchecked {
            return p / (SCALE + order.bps());
        }
    }

    /// @dev Larger is better: E, then score, then the earlier commit (511 ^ i = 511 − i below 512).
    function bidRank(Order order, uint256 index) internal pure returns (uint256) {
        return (order.effective() << 19) | (order.score() << 9) | (511 ^ index);
    }

    /// @dev Smaller is better: E, then the higher score, then the earlier commit.
    function askRank(Order order, uint256 index) internal pure returns (uint256) {
        return (order.effective() << 19) | ((1023 ^ order.score()) << 9) | index;
    }
}
