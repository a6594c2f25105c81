// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Place, Seat} from "../interfaces/IMembership.sol";

/// @title Seats: the word in which a region's standing is stored
library Seats {
    function make(
        uint32 organisation_,
        Place memory place_,
        uint32 attributes_,
        uint64 fabrics_
    ) internal pure returns (Seat) {
        uint256 word = 1 | (uint256(organisation_) << 1);
        word |= uint256(uint32(place_.x)) << 33;
        word |= uint256(uint32(place_.y)) << 65;
        word |= uint256(uint32(place_.z)) << 97;
        return Seat.wrap(word | (uint256(attributes_) << 129) | (uint256(fabrics_) << 161));
    }

    function withActive(Seat seat, bool active) internal pure returns (Seat) {
        uint256 rest = Seat.unwrap(seat) & ~uint256(1);
        return Seat.wrap(active ? rest | 1 : rest);
    }

    function isActive(Seat seat) internal pure returns (bool) {
        return Seat.unwrap(seat) & 1 == 1;
    }

    function organisation(Seat seat) internal pure returns (uint32) {
        return uint32(Seat.unwrap(seat) >> 1);
    }

    function place(Seat seat) internal pure returns (Place memory) {
        uint256 word = Seat.unwrap(seat);
        return Place(int32(uint32(word >> 33)), int32(uint32(word >> 65)), int32(uint32(word >> 97)));
    }

    function attributes(Seat seat) internal pure returns (uint32) {
        return uint32(Seat.unwrap(seat) >> 129);
    }

    function fabrics(Seat seat) internal pure returns (uint64) {
        return uint64(Seat.unwrap(seat) >> 161);
    }

    /// @return cosine of the angle between the two places, scaled by 10^18.
    function cosineTo(Seat seat, int256 x, int256 y, int256 z) internal pure returns (int256) {
        uint256 word = Seat.unwrap(seat);
        unchecked {
            return x * int32(uint32(word >> 33)) + y * int32(uint32(word >> 65)) + z * int32(uint32(word >> 97));
        }
    }
}
