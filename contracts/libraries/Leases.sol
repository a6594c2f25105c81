// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Lease} from "../interfaces/ILeaseEscrow.sol";
import {AuctionId, LeaseId, Price, RegionId} from "../interfaces/Types.sol";
import {Order} from "./Orders.sol";

/// @title Leases: one word each, bound by a Merkle root
/// @notice A word from the lowest bit: bid 9 · ask 9 · seller by agent 1 · buyer by agent 1 · bond share 64 · r 32 ·
/// u 32 · c 20 · lots 20 · buyer 32 · seller 32. Terms, common to an auction: start 40 · slots 16 · lotMbps 24 ·
/// price 32 · week 16, the week lowest.
library Leases {
    function idOf(AuctionId auctionId, uint256 index) internal pure returns (LeaseId) {
        return LeaseId.wrap(keccak256(abi.encode(auctionId, index)));
    }

    /// @dev A bid's part of the word; the word of a lease is the OR of three parts.
    function bidBits(Order bid, uint256 index, uint256 scaledPrice) internal pure returns (uint256) {
        uint256 flag = bid.byAgent() ? 1 << 19 : 0;
        return index | flag | (bid.buyerUnitUp(scaledPrice) << 116) | (uint256(RegionId.unwrap(bid.regionId())) << 188);
    }

    function askBits(Order ask, uint256 index, uint256 scaledPrice) internal pure returns (uint256) {
        uint256 flag = ask.byAgent() ? 1 << 18 : 0;
        return
            (index << 9) |
            flag |
            (ask.sellerUnitDown(scaledPrice) << 84) |
            (uint256(RegionId.unwrap(ask.regionId())) << 220);
    }

    /// @dev `share`: bond share of this lease. `before`: lots of the ask that earlier leases took.
    function lotBits(uint256 share, uint256 before, uint256 lots) internal pure returns (uint256) {
        return (share << 20) | (before << 148) | (lots << 168);
    }

    function packTerms(
        uint40 start,
        uint16 slots,
        uint24 lotMbps,
        Price price,
        uint16 week
    ) internal pure returns (uint256) {
        return
            (uint256(start) << 88) |
            (uint256(slots) << 72) |
            (uint256(lotMbps) << 48) |
            (uint256(Price.unwrap(price)) << 16) |
            uint256(week);
    }

    function leaf(uint256 index, uint256 terms, uint256 word) internal pure returns (bytes32 hash) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, index)
            mstore(add(free, 0x20), terms)
            mstore(add(free, 0x40), word)
            hash := keccak256(free, 0x60)
        }
    }

    /// @dev The leaf of a lease that a caller names; `fits` is false if a value is too large for its bits.
    function leafOf(Lease memory lease) internal pure returns (bytes32 hash, bool fits) {
        fits = lease.lots < 2 ** 20 && lease.before < 2 ** 20 && lease.bid < 2 ** 9 && lease.ask < 2 ** 9;
        uint256 word = (uint256(RegionId.unwrap(lease.seller)) << 32) | RegionId.unwrap(lease.buyer);
        word = (word << 20) | lease.lots;
        word = (word << 20) | lease.before;
        word = (word << 32) | Price.unwrap(lease.buyerPrice);
        word = (word << 32) | Price.unwrap(lease.sellerPrice);
        word = (word << 64) | lease.bondShare;
        word = (word << 1) | (lease.buyerByAgent ? 1 : 0);
        word = (word << 1) | (lease.sellerByAgent ? 1 : 0);
        word = (word << 9) | lease.ask;
        word = (word << 9) | lease.bid;
        uint256 terms = packTerms(lease.start, lease.slots, lease.lotMbps, lease.price, lease.week);
        hash = leaf(lease.index, terms, word);
    }

    /// @dev Merkle root with sorted pairs and an odd node carried up to the next level; 0 if there is no lease.
    /// In assembly, since a clearing must be able to grant 511 leases: each level overwrites the one below it, in memory
    /// after the free pointer, which nothing else uses meanwhile.
    function rootOf(uint256[] memory words, uint256 terms) internal pure returns (bytes32 root) {
        assembly ("memory-safe") {
            let width := mload(words)
            let level := mload(0x40)
            mstore(level, 0)
            let preimage := add(level, shl(5, add(width, 1)))
            mstore(add(preimage, 0x20), terms)
            for {
                let i := 0
            } lt(i, width) {
                i := add(i, 1)
            } {
                mstore(preimage, i)
                mstore(add(preimage, 0x40), mload(add(words, shl(5, add(i, 1)))))
                mstore(add(level, shl(5, i)), keccak256(preimage, 0x60))
            }
            for {} gt(width, 1) {} {
                let half := shr(1, width)
                for {
                    let i := 0
                } lt(i, half) {
                    i := add(i, 1)
                } {
                    let left := mload(add(level, shl(6, i)))
                    let right := mload(add(level, add(0x20, shl(6, i))))
                    let swapped := lt(right, left)
                    mstore(shl(5, swapped), left)
                    mstore(shl(5, iszero(swapped)), right)
                    mstore(add(level, shl(5, i)), keccak256(0x00, 0x40))
                }
                if and(width, 1) {
                    mstore(add(level, shl(5, half)), mload(add(level, shl(5, sub(width, 1)))))
                    half := add(half, 1)
                }
                width := half
            }
            root := mload(level)
        }
    }
}
