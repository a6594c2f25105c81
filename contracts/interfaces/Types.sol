// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @notice Number of a region, from 1 in the order of admission. 0: no region.
type RegionId is uint32;

/// @notice Number that the consortium gives to the organisation that runs one or more regions.
type OrganisationId is uint32;

/// @notice Number of an auction, from 1 in the order in which they were opened. 0: no auction.
type AuctionId is uint32;

/// @notice Number of a mesh: that of its first auction.
type MeshId is uint32;

/// @notice Identifier of a lease: keccak256(abi.encode(auctionId, index)).
type LeaseId is bytes32;

/// @notice Whole price units per lot and slot.
type Price is uint32;

using {isNoRegion, isSameRegion as ==, isOtherRegion as !=, isLowerRegion as <} for RegionId global;
using {isNoAuction} for AuctionId global;
using {isOtherLease as !=} for LeaseId global;

function isNoRegion(RegionId id) pure returns (bool) {
    return RegionId.unwrap(id) == 0;
}

function isSameRegion(RegionId a, RegionId b) pure returns (bool) {
    return RegionId.unwrap(a) == RegionId.unwrap(b);
}

function isOtherRegion(RegionId a, RegionId b) pure returns (bool) {
    return RegionId.unwrap(a) != RegionId.unwrap(b);
}

function isLowerRegion(RegionId a, RegionId b) pure returns (bool) {
    return RegionId.unwrap(a) < RegionId.unwrap(b);
}

function isNoAuction(AuctionId id) pure returns (bool) {
    return AuctionId.unwrap(id) == 0;
}

function isOtherLease(LeaseId a, LeaseId b) pure returns (bool) {
    return LeaseId.unwrap(a) != LeaseId.unwrap(b);
}
