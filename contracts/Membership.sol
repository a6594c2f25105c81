// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManaged} from "@openzeppelin/contracts/access/manager/AccessManaged.sol";
import {
    IMembership,
    Admission,
    ControlUrl,
    Place,
    Prefix,
    Region,
    Role,
    Attestation
} from "./interfaces/IMembership.sol";
import {OrganisationId, RegionId} from "./interfaces/Types.sol";
import {Intervals} from "./libraries/Intervals.sol";
import {Attestations} from "./libraries/Attestations.sol";

/// @title Membership: the register of regional networks
/// @notice Restricted calls are decided by the consortium's AccessManager.
contract Membership is IMembership, AccessManaged {
    using Intervals for Intervals.Set;

    /// @dev What is on record about a region beside its attestation.
    struct Record {
        address treasury;
        address pendingTreasury;
        address agent;
        bytes32 routingKey;
        string name;
        Prefix[] prefixes;
        ControlUrl[] controlUrls;
    }

    /// @dev A key belongs to its region for ever: no other region can use it, and old receipts stay valid.
    struct AgentKey {
        RegionId regionId;
        uint40 retiredAt;
    }

    uint256 private constant MAX_FABRICS = 64;
    uint256 private constant UNIT_SQUARED = 1e18;
    /// @dev Rounding three coordinates to 10^-9 changes the squared length by at most 2·√3·½·10^9.
    uint256 private constant ROUNDING = 1e10;

    /// @inheritdoc IMembership
    uint32 public regionCount;
    /// @inheritdoc IMembership
    mapping(RegionId regionId => Attestation) public attestationOf;
    mapping(RegionId regionId => Record) private records;
    mapping(address agent => AgentKey) private agentKeys;
    mapping(bytes32 routingKey => RegionId regionId) private routingKeys;
    /// @inheritdoc IMembership
    mapping(bytes32 nameHash => RegionId regionId) public regionByName;
    Intervals.Set private held;
    string[] private fabricNames;

    /// @notice The register is empty.
    /// @param consortium the AccessManager that decides who may make restricted calls.
    constructor(address consortium) AccessManaged(consortium) {}

    modifier onlyTreasury(RegionId regionId) {
        if (records[regionId].treasury != msg.sender) revert NotTreasury(regionId, msg.sender);
        _;
    }

    // The consortium.

    /// @inheritdoc IMembership
    function admit(Admission calldata admission) external restricted returns (RegionId regionId) {
        if (bytes(admission.name).length == 0) revert MissingField("name");
        if (admission.treasury == address(0)) revert MissingField("treasury");
        if (admission.agent == address(0)) revert MissingField("agent");
        bytes32 nameHash = keccak256(bytes(admission.name));
        if (!regionByName[nameHash].isNoRegion()) revert NameTaken(admission.name, regionByName[nameHash]);

        regionId = RegionId.wrap(++regionCount);
        regionByName[nameHash] = regionId;
        Record storage record = records[regionId];
        record.name = admission.name;
        record.treasury = admission.treasury;
        setAgent(regionId, admission.agent);
        setRoutingKey(regionId, admission.routingKey);
        setAttestation(regionId, admission.organisation, admission.place, admission.attributes, admission.fabrics);
        for (uint256 i = 0; i < admission.prefixes.length; ++i) hold(regionId, admission.prefixes[i]);
        setControlUrls(regionId, admission.controlUrls);
        emit RegionAdmitted(regionId, admission.organisation, admission);
    }

    /// @inheritdoc IMembership
    function attest(
        RegionId regionId,
        OrganisationId organisation,
        Place calldata place,
        uint32 attributes,
        uint64 fabrics_
    ) external restricted {
        requireKnown(regionId);
        setAttestation(regionId, organisation, place, attributes, fabrics_);
        emit RegionAttested(regionId, organisation, place, attributes, fabrics_);
    }

    /// @inheritdoc IMembership
    function suspend(RegionId regionId) external restricted {
        requireKnown(regionId);
        if (!attestationOf[regionId].isActive()) revert AlreadySuspended(regionId);
        attestationOf[regionId] = attestationOf[regionId].withActive(false);
        emit RegionSuspended(regionId);
    }

    /// @inheritdoc IMembership
    function reinstate(RegionId regionId) external restricted {
        requireKnown(regionId);
        if (attestationOf[regionId].isActive()) revert NotSuspended(regionId);
        attestationOf[regionId] = attestationOf[regionId].withActive(true);
        emit RegionReinstated(regionId);
    }

    /// @inheritdoc IMembership
    function addFabric(string calldata name) external restricted returns (uint8 fabric) {
        if (bytes(name).length == 0) revert MissingField("name");
        if (fabricNames.length == MAX_FABRICS) revert TooManyFabrics(MAX_FABRICS);
        fabric = uint8(fabricNames.length);
        fabricNames.push(name);
        emit FabricAdded(fabric, name);
    }

    /// @inheritdoc IMembership
    function addPrefix(RegionId regionId, Prefix calldata prefix) external restricted {
        requireKnown(regionId);
        hold(regionId, prefix);
        emit PrefixAdded(regionId, prefix.network, prefix.length);
    }

    /// @inheritdoc IMembership
    function removePrefix(RegionId regionId, Prefix calldata prefix) external restricted {
        requireKnown(regionId);
        held.remove(prefix.network, prefix.length, regionId);
        Prefix[] storage prefixes = records[regionId].prefixes;
        for (uint256 i = 0; i < prefixes.length; ++i) {
            if (prefixes[i].network != prefix.network) continue;
            prefixes[i] = prefixes[prefixes.length - 1];
            prefixes.pop();
            break;
        }
        emit PrefixRemoved(regionId, prefix.network, prefix.length);
    }

    // The region.

    /// @inheritdoc IMembership
    function replaceAgent(RegionId regionId, address agent) external onlyTreasury(regionId) {
        address previous = records[regionId].agent;
        if (previous != address(0)) agentKeys[previous].retiredAt = uint40(block.timestamp);
        if (agent == address(0)) records[regionId].agent = address(0);
        else setAgent(regionId, agent);
        emit AgentReplaced(regionId, previous, agent);
    }

    /// @inheritdoc IMembership
    function replaceRoutingKey(RegionId regionId, bytes32 routingKey) external onlyTreasury(regionId) {
        bytes32 previous = records[regionId].routingKey;
        setRoutingKey(regionId, routingKey);
        emit RoutingKeyReplaced(regionId, previous, routingKey);
    }

    /// @inheritdoc IMembership
    function proposeTreasury(RegionId regionId, address treasury) external onlyTreasury(regionId) {
        records[regionId].pendingTreasury = treasury;
        emit TreasuryProposed(regionId, treasury);
    }

    /// @inheritdoc IMembership
    function acceptTreasury(RegionId regionId) external {
        Record storage record = records[regionId];
        if (record.pendingTreasury != msg.sender) revert NotPendingTreasury(regionId, msg.sender);
        emit TreasuryReplaced(regionId, record.treasury, msg.sender);
        record.treasury = msg.sender;
        record.pendingTreasury = address(0);
    }

    /// @inheritdoc IMembership
    function replaceControlUrls(RegionId regionId, ControlUrl[] calldata controlUrls) external {
        if (roleOf(regionId, msg.sender) == Role.None) revert NotAuthorised(regionId, msg.sender);
        setControlUrls(regionId, controlUrls);
        emit ControlUrlsReplaced(regionId, controlUrls);
    }

    // Views.

    /// @inheritdoc IMembership
    function region(RegionId regionId) external view returns (Region memory found) {
        requireKnown(regionId);
        Attestation attestation = attestationOf[regionId];
        Record storage record = records[regionId];
        return
            Region({
                id: regionId,
                name: record.name,
                organisation: attestation.organisation(),
                treasury: record.treasury,
                pendingTreasury: record.pendingTreasury,
                agent: record.agent,
                routingKey: record.routingKey,
                place: attestation.place(),
                attributes: attestation.attributes(),
                fabrics: attestation.fabrics(),
                suspended: !attestation.isActive(),
                prefixes: record.prefixes,
                controlUrls: record.controlUrls
            });
    }

    /// @inheritdoc IMembership
    function isRegion(RegionId regionId) public view returns (bool known) {
        return !regionId.isNoRegion() && RegionId.unwrap(regionId) <= regionCount;
    }

    /// @inheritdoc IMembership
    function regionByAgent(address agent) external view returns (RegionId regionId) {
        AgentKey storage key = agentKeys[agent];
        return key.retiredAt == 0 ? key.regionId : RegionId.wrap(0);
    }

    /// @inheritdoc IMembership
    function regionByRoutingKey(bytes32 routingKey) external view returns (RegionId regionId) {
        regionId = routingKeys[routingKey];
        return records[regionId].routingKey == routingKey ? regionId : RegionId.wrap(0);
    }

    /// @inheritdoc IMembership
    function holderOf(uint128 ip) external view returns (RegionId regionId, Prefix memory prefix) {
        (uint128 network, Intervals.Node memory node) = held.find(ip);
        return (node.holder, Prefix(network, node.length));
    }

    /// @inheritdoc IMembership
    function fabrics() external view returns (string[] memory names) {
        return fabricNames;
    }

    /// @inheritdoc IMembership
    function roleOf(RegionId regionId, address caller) public view returns (Role role) {
        AgentKey memory key = agentKeys[caller];
        if (!regionId.isNoRegion() && key.regionId == regionId && key.retiredAt == 0) return Role.Agent;
        return caller != address(0) && records[regionId].treasury == caller ? Role.Treasury : Role.None;
    }

    /// @inheritdoc IMembership
    function roleAndAttestationOf(
        RegionId regionId,
        address caller
    ) external view returns (Role role, Attestation attestation) {
        return (roleOf(regionId, caller), attestationOf[regionId]);
    }

    /// @inheritdoc IMembership
    function signedFor(RegionId regionId, address key, uint40 since) external view returns (bool valid) {
        AgentKey storage record = agentKeys[key];
        return
            !regionId.isNoRegion() &&
            record.regionId == regionId &&
            (record.retiredAt == 0 || record.retiredAt >= since);
    }

    /// @inheritdoc IMembership
    function treasuryOf(RegionId regionId) external view returns (address treasury) {
        return records[regionId].treasury;
    }

    // Shared by admission and later changes.

    function requireKnown(RegionId regionId) private view {
        if (!isRegion(regionId)) revert UnknownRegion(regionId);
    }

    function setAttestation(
        RegionId regionId,
        OrganisationId organisation,
        Place calldata place,
        uint32 attributes,
        uint64 fabrics_
    ) private {
        (int256 x, int256 y, int256 z) = (place.x, place.y, place.z);
        uint256 squared = uint256(x * x + y * y + z * z);
        if (squared + ROUNDING < UNIT_SQUARED || squared > UNIT_SQUARED + ROUNDING) revert NotAUnitVector(squared);
        uint256 unknown = fabricNames.length == 64 ? 0 : (uint256(fabrics_) >> fabricNames.length);
        if (unknown != 0) revert UnknownFabric(fabrics_);
        bool active = Attestation.unwrap(attestationOf[regionId]) == 0 || attestationOf[regionId].isActive();
        attestationOf[regionId] = Attestations.make(organisation, place, attributes, fabrics_).withActive(active);
    }

    function setAgent(RegionId regionId, address agent) private {
        RegionId holder = agentKeys[agent].regionId;
        if (!holder.isNoRegion()) revert AgentKeyTaken(agent, holder);
        agentKeys[agent].regionId = regionId;
        records[regionId].agent = agent;
    }

    function setRoutingKey(RegionId regionId, bytes32 routingKey) private {
        if (routingKey == 0) revert MissingField("routing key");
        RegionId holder = routingKeys[routingKey];
        if (!holder.isNoRegion()) revert RoutingKeyTaken(routingKey, holder);
        routingKeys[routingKey] = regionId;
        records[regionId].routingKey = routingKey;
    }

    function hold(RegionId regionId, Prefix calldata prefix) private {
        held.add(prefix.network, prefix.length, regionId);
        records[regionId].prefixes.push(prefix);
    }

    function setControlUrls(RegionId regionId, ControlUrl[] calldata controlUrls) private {
        ControlUrl[] storage stored = records[regionId].controlUrls;
        delete records[regionId].controlUrls;
        for (uint256 i = 0; i < controlUrls.length; ++i) stored.push(controlUrls[i]);
    }
}
