// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Attestations} from "../libraries/Attestations.sol";

/// @notice A point on the globe as a unit vector, each coordinate scaled by 10^9.
struct Place {
    int32 x;
    int32 y;
    int32 z;
}

/// @notice An address prefix in the one space of 128 bits: IPv4 stands mapped (::ffff:a.b.c.d, length 96 + n).
struct Prefix {
    uint128 network;
    uint8 length;
}

/// @notice Where a region's agent answers; on `fabric` 255 by the standing peering.
struct ControlUrl {
    uint8 fabric;
    string url;
}

/// @notice What the consortium attests when it admits a region.
/// @param fabrics bit f: attached to fabric number f.
/// @param attributes bit 0: post-quantum preshared keys; others as the consortium defines them.
struct Admission {
    string name;
    uint32 organisation;
    address treasury;
    address agent;
    bytes32 routingKey;
    Place place;
    uint32 attributes;
    uint64 fabrics;
    Prefix[] prefixes;
    ControlUrl[] controlUrls;
}

/// @notice All of a region that is on record.
struct Region {
    uint32 id;
    string name;
    uint32 organisation;
    address treasury;
    address pendingTreasury;
    address agent;
    bytes32 routingKey;
    Place place;
    uint32 attributes;
    uint64 fabrics;
    bool suspended;
    Prefix[] prefixes;
    ControlUrl[] controlUrls;
}

/// @notice What the market asks about a region, in one word, as it is stored and as it is answered. From the lowest bit:
/// active 1 · organisation 32 · x 32 · y 32 · z 32 · attributes 32 · fabrics 64.
type Attestation is uint256;

/// @notice As whom an address acts for a region.
enum Role {
    None,
    Agent,
    Treasury
}

using Attestations for Attestation global;

/// @title Membership: who the regional networks are
/// @notice The consortium (an AccessManager) admits, suspends and attests; it can touch neither money nor scores.
/// A region is a number that is never given twice: coming back is not a fresh start (INV-8).
interface IMembership {
    /// @param admission everything attested, so that the register can be rebuilt from events.
    event RegionAdmitted(uint32 indexed regionId, uint32 indexed organisation, Admission admission);
    event RegionAttested(
        uint32 indexed regionId,
        uint32 indexed organisation,
        Place place,
        uint32 attributes,
        uint64 fabrics
    );
    event RegionSuspended(uint32 indexed regionId);
    event RegionReinstated(uint32 indexed regionId);
    event FabricAdded(uint8 indexed fabric, string name);
    event PrefixAdded(uint32 indexed regionId, uint128 network, uint8 length);
    event PrefixRemoved(uint32 indexed regionId, uint128 network, uint8 length);
    event AgentReplaced(uint32 indexed regionId, address indexed previous, address indexed agent);
    event RoutingKeyReplaced(uint32 indexed regionId, bytes32 previous, bytes32 routingKey);
    event TreasuryProposed(uint32 indexed regionId, address indexed treasury);
    event TreasuryReplaced(uint32 indexed regionId, address indexed previous, address indexed treasury);
    event ControlUrlsReplaced(uint32 indexed regionId, ControlUrl[] controlUrls);

    error UnknownRegion(uint32 regionId);
    error UnknownFabric(uint256 fabrics);
    error TooManyFabrics(uint256 max);
    error NameTaken(string name, uint256 holder);
    /// @param key an agent's address that this or another region holds or once held.
    error AgentKeyTaken(address key, uint32 holder);
    error RoutingKeyTaken(bytes32 key, uint32 holder);
    error MissingField(string field);
    /// @param squaredLength should be 10^18 within 10^10.
    error NotAUnitVector(uint256 squaredLength);
    error NotTreasury(uint32 regionId, address caller);
    error NotPendingTreasury(uint32 regionId, address caller);
    error NotAuthorised(uint32 regionId, address caller);
    error AlreadySuspended(uint32 regionId);
    error NotSuspended(uint32 regionId);

    // The consortium: restricted by the AccessManager.

    /// @custom:reverts NameTaken · AgentKeyTaken · RoutingKeyTaken · MissingField · NotAUnitVector · UnknownFabric · Intervals.Overlap · Intervals.NotCanonical
    function admit(Admission calldata admission) external returns (uint32 regionId);

    /// @notice Replaces what is attested about a region; terms of open auctions keep what they were opened with.
    /// @custom:reverts UnknownRegion · NotAUnitVector · UnknownFabric
    function attest(
        uint32 regionId,
        uint32 organisation,
        Place calldata place,
        uint32 attributes,
        uint64 fabrics
    ) external;

    /// @notice A suspended region can finish and settle what it has, and start nothing.
    /// @custom:reverts UnknownRegion · AlreadySuspended
    function suspend(uint32 regionId) external;

    /// @custom:reverts UnknownRegion · NotSuspended
    function reinstate(uint32 regionId) external;

    /// @custom:reverts TooManyFabrics · MissingField
    function addFabric(string calldata name) external returns (uint8 fabric);

    /// @custom:reverts UnknownRegion · Intervals.Overlap · Intervals.NotCanonical
    function addPrefix(uint32 regionId, Prefix calldata prefix) external;

    /// @custom:reverts Intervals.NotHeld
    function removePrefix(uint32 regionId, Prefix calldata prefix) external;

    // The region: its treasury; control URLs also its agent.

    /// @notice The treasury revokes the agent's key at once; the zero address leaves the region without one.
    /// @custom:reverts NotTreasury · AgentKeyTaken
    function replaceAgent(uint32 regionId, address agent) external;

    /// @custom:reverts NotTreasury · RoutingKeyTaken · MissingField
    function replaceRoutingKey(uint32 regionId, bytes32 routingKey) external;

    /// @notice First of two steps; the zero address withdraws an earlier proposal.
    /// @custom:reverts NotTreasury
    function proposeTreasury(uint32 regionId, address treasury) external;

    /// @notice Second step, by the new treasury, which thereby shows that it can sign.
    /// @custom:reverts NotPendingTreasury
    function acceptTreasury(uint32 regionId) external;

    /// @custom:reverts NotAuthorised
    function replaceControlUrls(uint32 regionId, ControlUrl[] calldata controlUrls) external;

    // Views.

    /// @custom:reverts UnknownRegion
    function region(uint32 regionId) external view returns (Region memory);

    /// @notice Regions are numbered from 1 to this.
    function regionCount() external view returns (uint32);

    function isRegion(uint32 regionId) external view returns (bool);

    /// @return 0 if nobody; a key that was replaced is nobody's.
    function regionByAgent(address agent) external view returns (uint32);

    /// @param nameHash keccak256 of the name's bytes.
    /// @return 0 if nobody.
    function regionByName(bytes32 nameHash) external view returns (uint32);

    /// @return 0 if nobody.
    function regionByRoutingKey(bytes32 routingKey) external view returns (uint32);

    /// @param ip IPv4 mapped.
    /// @return regionId 0 if no region's prefix covers the address.
    function holderOf(uint128 ip) external view returns (uint32 regionId, Prefix memory prefix);

    function fabrics() external view returns (string[] memory names);

    function attestationOf(uint32 regionId) external view returns (Attestation);

    function roleOf(uint32 regionId, address caller) external view returns (Role);

    /// @notice Role and attestation in one call, for the market.
    function roleAndAttestationOf(uint32 regionId, address caller) external view returns (Role, Attestation);

    /// @notice Whether `key` was the region's agent key at `since` or later: a counterpart cannot void the receipts of a
    /// running lease by replacing its key.
    function signedFor(uint32 regionId, address key, uint40 since) external view returns (bool);

    function treasuryOf(uint32 regionId) external view returns (address);
}
