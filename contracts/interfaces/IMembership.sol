// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Attestations} from "../libraries/Attestations.sol";
import {OrganisationId, RegionId} from "./Types.sol";

/// @notice A point on the globe as a unit vector.
/// @param x towards 0° N 0° E, scaled by 10^9.
/// @param y towards 0° N 90° E, scaled by 10^9.
/// @param z towards the north pole, scaled by 10^9.
struct Place {
    int32 x;
    int32 y;
    int32 z;
}

/// @notice An address prefix in the 128-bit address space; IPv4 is mapped (::ffff:a.b.c.d, length 96 + n).
/// @param network first address of the prefix.
/// @param length prefix length, 1 to 128.
struct Prefix {
    uint128 network;
    uint8 length;
}

/// @notice Where a region's agent answers other agents.
/// @param fabric number of the fabric on which the URL can be reached; 255: via the standing peering.
/// @param url base URL.
struct ControlUrl {
    uint8 fabric;
    string url;
}

/// @notice What the consortium attests when it admits a region.
/// @param name unique name, not empty.
/// @param organisation organisation that runs the region.
/// @param treasury address that owns the region's money; not 0.
/// @param agent address of the agent's key; not 0.
/// @param routingKey Ed25519 public key that signs the region's routing messages; not 0.
/// @param place where the region is.
/// @param attributes bit 0: post-quantum preshared keys; the consortium defines the others.
/// @param fabrics bit f is set if the region is attached to fabric number f.
/// @param prefixes address prefixes that the region holds.
/// @param controlUrls where the region's agent answers.
struct Admission {
    string name;
    OrganisationId organisation;
    address treasury;
    address agent;
    bytes32 routingKey;
    Place place;
    uint32 attributes;
    uint64 fabrics;
    Prefix[] prefixes;
    ControlUrl[] controlUrls;
}

/// @notice Everything on record about a region.
/// @param id number of the region.
/// @param name unique name.
/// @param organisation organisation that runs the region.
/// @param treasury address that owns the region's money.
/// @param pendingTreasury proposed treasury that has not accepted yet; 0: none.
/// @param agent address of the agent's key; 0: revoked.
/// @param routingKey public key that signs the region's routing messages.
/// @param place where the region is.
/// @param attributes bits as in `Admission`.
/// @param fabrics bits as in `Admission`.
/// @param suspended whether the consortium has suspended the region.
/// @param prefixes address prefixes that the region holds.
/// @param controlUrls where the region's agent answers.
struct Region {
    RegionId id;
    string name;
    OrganisationId organisation;
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

/// @notice What the market needs to know about a region, in one word. From the lowest bit:
/// active 1 · organisation 32 · x 32 · y 32 · z 32 · attributes 32 · fabrics 64.
type Attestation is uint256;

/// @notice In which role an address acts for a region.
enum Role {
    None,
    Agent,
    Treasury
}

using Attestations for Attestation global;

/// @title Membership: the register of regional networks
/// @notice The consortium (an AccessManager) admits, suspends and attests regions; it has no access to money or scores.
/// A region's number is never used again: a region that comes back has its history (INV-8).
interface IMembership {
    /// @notice A region was admitted.
    /// @param regionId number of the new region.
    /// @param organisation organisation that runs it.
    /// @param admission everything attested, so that the register can be rebuilt from events.
    event RegionAdmitted(RegionId indexed regionId, OrganisationId indexed organisation, Admission admission);

    /// @notice The attestation of a region was replaced.
    /// @param regionId the region.
    /// @param organisation organisation that runs it.
    /// @param place where the region is.
    /// @param attributes bits as in `Admission`.
    /// @param fabrics bits as in `Admission`.
    event RegionAttested(
        RegionId indexed regionId,
        OrganisationId indexed organisation,
        Place place,
        uint32 attributes,
        uint64 fabrics
    );

    /// @notice A region was suspended.
    /// @param regionId the region.
    event RegionSuspended(RegionId indexed regionId);

    /// @notice The suspension of a region ended.
    /// @param regionId the region.
    event RegionReinstated(RegionId indexed regionId);

    /// @notice A fabric was added.
    /// @param fabric number of the fabric, 0 to 63.
    /// @param name its name.
    event FabricAdded(uint8 indexed fabric, string name);

    /// @notice A region got an address prefix.
    /// @param regionId the region.
    /// @param network first address of the prefix.
    /// @param length prefix length, 1 to 128.
    event PrefixAdded(RegionId indexed regionId, uint128 network, uint8 length);

    /// @notice A region lost an address prefix.
    /// @param regionId the region.
    /// @param network first address of the prefix.
    /// @param length prefix length, 1 to 128.
    event PrefixRemoved(RegionId indexed regionId, uint128 network, uint8 length);

    /// @notice A treasury replaced or revoked its agent's key.
    /// @param regionId the region.
    /// @param previous address that was the agent's; 0: none.
    /// @param agent address that is the agent's now; 0: none.
    event AgentReplaced(RegionId indexed regionId, address indexed previous, address indexed agent);

    /// @notice A treasury replaced the region's routing key.
    /// @param regionId the region.
    /// @param previous key that was replaced.
    /// @param routingKey key that is valid now.
    event RoutingKeyReplaced(RegionId indexed regionId, bytes32 previous, bytes32 routingKey);

    /// @notice A treasury proposed its successor.
    /// @param regionId the region.
    /// @param treasury the proposed address; 0: an earlier proposal was withdrawn.
    event TreasuryProposed(RegionId indexed regionId, address indexed treasury);

    /// @notice The proposed treasury accepted and is the treasury now.
    /// @param regionId the region.
    /// @param previous address that was the treasury.
    /// @param treasury address that is the treasury now.
    event TreasuryReplaced(RegionId indexed regionId, address indexed previous, address indexed treasury);

    /// @notice A region replaced its control URLs.
    /// @param regionId the region.
    /// @param controlUrls all URLs that are valid now.
    event ControlUrlsReplaced(RegionId indexed regionId, ControlUrl[] controlUrls);

    /// @notice No region has this number.
    /// @param regionId the number.
    error UnknownRegion(RegionId regionId);

    /// @notice A bit is set for a fabric that does not exist.
    /// @param fabrics the bits.
    error UnknownFabric(uint256 fabrics);

    /// @notice There are as many fabrics as the contract can hold.
    /// @param max how many that is.
    error TooManyFabrics(uint256 max);

    /// @notice Another region has this name.
    /// @param name the name.
    /// @param holder region that has it.
    error NameTaken(string name, RegionId holder);

    /// @notice This or another region has or had this agent key.
    /// @param key address of the key.
    /// @param holder region that has or had it.
    error AgentKeyTaken(address key, RegionId holder);

    /// @notice This or another region has or had this routing key.
    /// @param key the public key.
    /// @param holder region that has or had it.
    error RoutingKeyTaken(bytes32 key, RegionId holder);

    /// @notice A required field is empty or 0.
    /// @param field name of the field.
    error MissingField(string field);

    /// @notice The place is not a unit vector.
    /// @param squaredLength squared length of the vector; it must be 10^18 to within 10^10.
    error NotAUnitVector(uint256 squaredLength);

    /// @notice The caller is not the region's treasury.
    /// @param regionId the region.
    /// @param caller sender of the call.
    error NotTreasury(RegionId regionId, address caller);

    /// @notice The caller is not the treasury that was proposed for the region.
    /// @param regionId the region.
    /// @param caller sender of the call.
    error NotPendingTreasury(RegionId regionId, address caller);

    /// @notice The caller is neither the region's agent nor its treasury.
    /// @param regionId the region.
    /// @param caller sender of the call.
    error NotAuthorised(RegionId regionId, address caller);

    /// @notice The region is suspended already.
    /// @param regionId the region.
    error AlreadySuspended(RegionId regionId);

    /// @notice The region is not suspended.
    /// @param regionId the region.
    error NotSuspended(RegionId regionId);

    // For the consortium only: restricted by the AccessManager.

    /// @notice Admits a region.
    /// @param admission everything that the consortium attests.
    /// @return regionId number of the new region.
    /// @custom:reverts NameTaken · AgentKeyTaken · RoutingKeyTaken · MissingField · NotAUnitVector · UnknownFabric ·
    /// Intervals.Overlap · Intervals.NotCanonical · AccessManaged.AccessManagedUnauthorized
    function admit(Admission calldata admission) external returns (RegionId regionId);

    /// @notice Replaces what is attested about a region; auctions keep the place that they were opened with.
    /// @param regionId the region.
    /// @param organisation organisation that runs it.
    /// @param place where the region is.
    /// @param attributes bits as in `Admission`.
    /// @param fabrics bits as in `Admission`.
    /// @custom:reverts UnknownRegion · NotAUnitVector · UnknownFabric · AccessManaged.AccessManagedUnauthorized
    function attest(
        RegionId regionId,
        OrganisationId organisation,
        Place calldata place,
        uint32 attributes,
        uint64 fabrics
    ) external;

    /// @notice Suspends a region: it can finish and settle what it has, but cannot start anything.
    /// @param regionId the region.
    /// @custom:reverts UnknownRegion · AlreadySuspended · AccessManaged.AccessManagedUnauthorized
    function suspend(RegionId regionId) external;

    /// @notice Ends the suspension of a region.
    /// @param regionId the region.
    /// @custom:reverts UnknownRegion · NotSuspended · AccessManaged.AccessManagedUnauthorized
    function reinstate(RegionId regionId) external;

    /// @notice Adds a fabric.
    /// @param name its name, not empty.
    /// @return fabric number of the fabric, 0 to 63.
    /// @custom:reverts TooManyFabrics · MissingField · AccessManaged.AccessManagedUnauthorized
    function addFabric(string calldata name) external returns (uint8 fabric);

    /// @notice Gives a region an address prefix that overlaps with no other.
    /// @param regionId the region.
    /// @param prefix the prefix.
    /// @custom:reverts UnknownRegion · Intervals.Overlap · Intervals.NotCanonical ·
    /// AccessManaged.AccessManagedUnauthorized
    function addPrefix(RegionId regionId, Prefix calldata prefix) external;

    /// @notice Takes an address prefix from a region.
    /// @param regionId the region.
    /// @param prefix the prefix.
    /// @custom:reverts UnknownRegion · Intervals.NotHeld · AccessManaged.AccessManagedUnauthorized
    function removePrefix(RegionId regionId, Prefix calldata prefix) external;

    // For the region: its treasury; for control URLs also its agent.

    /// @notice Replaces the agent's key or revokes it; the old key loses its rights in the same transaction.
    /// @param regionId the region.
    /// @param agent address of the new key; 0: the region has no agent from now on.
    /// @custom:reverts NotTreasury · AgentKeyTaken
    function replaceAgent(RegionId regionId, address agent) external;

    /// @notice Replaces the region's routing key.
    /// @param regionId the region.
    /// @param routingKey the new public key, not 0.
    /// @custom:reverts NotTreasury · RoutingKeyTaken · MissingField
    function replaceRoutingKey(RegionId regionId, bytes32 routingKey) external;

    /// @notice First of two steps to a new treasury: the treasury proposes it.
    /// @param regionId the region.
    /// @param treasury the proposed address; 0 withdraws an earlier proposal.
    /// @custom:reverts NotTreasury
    function proposeTreasury(RegionId regionId, address treasury) external;

    /// @notice Second of two steps to a new treasury: the proposed treasury accepts, which shows that it can sign.
    /// @param regionId the region.
    /// @custom:reverts NotPendingTreasury
    function acceptTreasury(RegionId regionId) external;

    /// @notice Replaces all control URLs of the region.
    /// @param regionId the region.
    /// @param controlUrls the new URLs.
    /// @custom:reverts NotAuthorised
    function replaceControlUrls(RegionId regionId, ControlUrl[] calldata controlUrls) external;

    // Views.

    /// @notice Everything on record about a region.
    /// @param regionId the region.
    /// @return found its record.
    /// @custom:reverts UnknownRegion
    function region(RegionId regionId) external view returns (Region memory found);

    /// @notice How many regions were ever admitted: they are numbered from 1 to this.
    /// @return count number of regions.
    function regionCount() external view returns (uint32 count);

    /// @notice Whether a region has this number.
    /// @param regionId the number.
    /// @return known true if it was admitted, suspended or not.
    function isRegion(RegionId regionId) external view returns (bool known);

    /// @notice The region whose agent has this address now.
    /// @param agent the address.
    /// @return regionId 0: none; a key that was replaced belongs to no region.
    function regionByAgent(address agent) external view returns (RegionId regionId);

    /// @notice The region with this name.
    /// @param nameHash keccak256 of the name's bytes.
    /// @return regionId 0: none.
    function regionByName(bytes32 nameHash) external view returns (RegionId regionId);

    /// @notice The region with this routing key now.
    /// @param routingKey the public key.
    /// @return regionId 0: none.
    function regionByRoutingKey(bytes32 routingKey) external view returns (RegionId regionId);

    /// @notice The region that holds an address.
    /// @param ip the address, IPv4 mapped.
    /// @return regionId 0: no region's prefix contains the address.
    /// @return prefix the prefix that contains it.
    function holderOf(uint128 ip) external view returns (RegionId regionId, Prefix memory prefix);

    /// @notice The names of all fabrics.
    /// @return names name f is that of fabric number f.
    function fabrics() external view returns (string[] memory names);

    /// @notice What is attested about a region.
    /// @param regionId the region.
    /// @return attestation 0: no such region.
    function attestationOf(RegionId regionId) external view returns (Attestation attestation);

    /// @notice In which role an address acts for a region now.
    /// @param regionId the region.
    /// @param caller the address.
    /// @return role `None` if it has no rights.
    function roleOf(RegionId regionId, address caller) external view returns (Role role);

    /// @notice Role and attestation in one call, for the market.
    /// @param regionId the region.
    /// @param caller the address.
    /// @return role `None` if the address has no rights.
    /// @return attestation 0: no such region.
    function roleAndAttestationOf(
        RegionId regionId,
        address caller
    ) external view returns (Role role, Attestation attestation);

    /// @notice Whether a key was the region's agent key at a time or later: a region cannot make the receipts of a
    /// running lease invalid by replacing its key.
    /// @param regionId the region.
    /// @param key address of the key.
    /// @param since Unix second.
    /// @return valid true if it was not replaced before `since`.
    function signedFor(RegionId regionId, address key, uint40 since) external view returns (bool valid);

    /// @notice The region's treasury.
    /// @param regionId the region.
    /// @return treasury 0: no such region.
    function treasuryOf(RegionId regionId) external view returns (address treasury);
}
