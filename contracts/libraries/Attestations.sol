// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Attestation, Place} from "../interfaces/IMembership.sol";
import {OrganisationId} from "../interfaces/Types.sol";

/// @title Attestations: the word in which a region's attestation is stored
/// @notice `IMembership.Attestation` has the bits.
library Attestations {
    function make(
        OrganisationId organisation_,
        Place memory place_,
        uint32 attributes_,
        uint64 fabrics_
    ) internal pure returns (Attestation) {
        uint256 word = 1 | (uint256(OrganisationId.unwrap(organisation_)) << 1);
        word |= uint256(uint32(place_.x)) << 33;
        word |= uint256(uint32(place_.y)) << 65;
        word |= uint256(uint32(place_.z)) << 97;
        return Attestation.wrap(word | (uint256(attributes_) << 129) | (uint256(fabrics_) << 161));
    }

    function withActive(Attestation attestation, bool active) internal pure returns (Attestation) {
        uint256 rest = Attestation.unwrap(attestation) & ~uint256(1);
        return Attestation.wrap(active ? rest | 1 : rest);
    }

    function isActive(Attestation attestation) internal pure returns (bool) {
        return Attestation.unwrap(attestation) & 1 == 1;
    }

    function organisation(Attestation attestation) internal pure returns (OrganisationId) {
        return OrganisationId.wrap(uint32(Attestation.unwrap(attestation) >> 1));
    }

    function place(Attestation attestation) internal pure returns (Place memory) {
        uint256 word = Attestation.unwrap(attestation);
        return Place(int32(uint32(word >> 33)), int32(uint32(word >> 65)), int32(uint32(word >> 97)));
    }

    function attributes(Attestation attestation) internal pure returns (uint32) {
        return uint32(Attestation.unwrap(attestation) >> 129);
    }

    function fabrics(Attestation attestation) internal pure returns (uint64) {
        return uint64(Attestation.unwrap(attestation) >> 161);
    }

    /// @dev Cosine of the angle between the region's place and (x, y, z), scaled by 10^18. Unchecked: the sum of three
    /// products of 32-bit numbers cannot overflow.
    function cosineTo(Attestation attestation, int256 x, int256 y, int256 z) internal pure returns (int256) {
        uint256 word = Attestation.unwrap(attestation);
        unchecked {
            return x * int32(uint32(word >> 33)) + y * int32(uint32(word >> 65)) + z * int32(uint32(word >> 97));
        }
    }
}
