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
import {Intervals} from "./libraries/Intervals.sol";
import {Attestations} from "./libraries/Attestations.sol";

contract Membership is IMembership, AccessManaged {
    using Intervals for Intervals.Set;

    struct Record {
        address treasury;
        address pendingTreasury;
        address agent;
        bytes32 routingKey;
        string name;
        Prefix[] prefixes;
        ControlUrl[] controlUrls;
    }

    /// @dev A key stays its region's for good: it can neither move to another region nor be forgotten by receipts.
    struct AgentKey {
        uint32 regionId;
        uint40 retiredAt;
    }

    uint256 private constant MAX_FABRICS = 64;
    uint256 private constant UNIT_SQUARED = 1e18;
    /// @dev Three coordinates rounded to 10^-9 leave the squared length within 2·√3·½·10^9 of one.
    uint256 private constant ROUNDING = 1e10;

    uint32 public regionCount;
    mapping(uint32 regionId => Attestation) public attestationOf;
    mapping(uint32 regionId => Record) private records;
    mapping(address agent => AgentKey) private agentKeys;
    mapping(bytes32 routingKey => uint32 regionId) private routingKeys;
    mapping(bytes32 nameHash => uint32 regionId) public regionByName;
    Intervals.Set private held;
    string[] private fabricNames;

    constructor(address consortium) AccessManaged(consortium) {}

    modifier onlyTreasury(uint32 regionId) {
        if (records[regionId].treasury != msg.sender) revert NotTreasury(regionId, msg.sender);
        _;
    }

    // The consortium.

    function admit(Admission calldata admission) external restricted returns (uint32 regionId) {
        if (bytes(admission.name).length == 0) revert MissingField("name");
        if (admission.treasury == address(0)) revert MissingField("treasury");
        if (admission.agent == address(0)) revert MissingField("agent");
        bytes32 nameHash = keccak256(bytes(admission.name));
        if (regionByName[nameHash] != 0) revert NameTaken(admission.name, regionByName[nameHash]);

        regionId = ++regionCount;
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

    function attest(
        uint32 regionId,
        uint32 organisation,
        Place calldata place,
        uint32 attributes,
        uint64 fabrics_
    ) external restricted {
        requireKnown(regionId);
        setAttestation(regionId, organisation, place, attributes, fabrics_);
        emit RegionAttested(regionId, organisation, place, attributes, fabrics_);
    }

    function suspend(uint32 regionId) external restricted {
        requireKnown(regionId);
        if (!attestationOf[regionId].isActive()) revert AlreadySuspended(regionId);
        attestationOf[regionId] = attestationOf[regionId].withActive(false);
        emit RegionSuspended(regionId);
    }

    function reinstate(uint32 regionId) external restricted {
        requireKnown(regionId);
        if (attestationOf[regionId].isActive()) revert NotSuspended(regionId);
        attestationOf[regionId] = attestationOf[regionId].withActive(true);
        emit RegionReinstated(regionId);
    }

    function addFabric(string calldata name) external restricted returns (uint8 fabric) {
        if (bytes(name).length == 0) revert MissingField("name");
        if (fabricNames.length == MAX_FABRICS) revert TooManyFabrics(MAX_FABRICS);
        fabric = uint8(fabricNames.length);
        fabricNames.push(name);
        emit FabricAdded(fabric, name);
    }

    function addPrefix(uint32 regionId, Prefix calldata prefix) external restricted {
        requireKnown(regionId);
        hold(regionId, prefix);
        emit PrefixAdded(regionId, prefix.network, prefix.length);
    }

    function removePrefix(uint32 regionId, Prefix calldata prefix) external restricted {
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

    function replaceAgent(uint32 regionId, address agent) external onlyTreasury(regionId) {
        address previous = records[regionId].agent;
        if (previous != address(0)) agentKeys[previous].retiredAt = uint40(block.timestamp);
        if (agent == address(0)) records[regionId].agent = address(0);
        else setAgent(regionId, agent);
        emit AgentReplaced(regionId, previous, agent);
    }

    function replaceRoutingKey(uint32 regionId, bytes32 routingKey) external onlyTreasury(regionId) {
        bytes32 previous = records[regionId].routingKey;
        setRoutingKey(regionId, routingKey);
        emit RoutingKeyReplaced(regionId, previous, routingKey);
    }

    function proposeTreasury(uint32 regionId, address treasury) external onlyTreasury(regionId) {
        records[regionId].pendingTreasury = treasury;
        emit TreasuryProposed(regionId, treasury);
    }

    function acceptTreasury(uint32 regionId) external {
        Record storage record = records[regionId];
        if (record.pendingTreasury != msg.sender) revert NotPendingTreasury(regionId, msg.sender);
        emit TreasuryReplaced(regionId, record.treasury, msg.sender);
        record.treasury = msg.sender;
        record.pendingTreasury = address(0);
    }

    function replaceControlUrls(uint32 regionId, ControlUrl[] calldata controlUrls) external {
        if (roleOf(regionId, msg.sender) == Role.None) revert NotAuthorised(regionId, msg.sender);
        setControlUrls(regionId, controlUrls);
        emit ControlUrlsReplaced(regionId, controlUrls);
    }

    // Views.

    function region(uint32 regionId) external view returns (Region memory) {
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

    function isRegion(uint32 regionId) public view returns (bool) {
        return regionId != 0 && regionId <= regionCount;
    }

    function regionByAgent(address agent) external view returns (uint32) {
        AgentKey storage key = agentKeys[agent];
        return key.retiredAt == 0 ? key.regionId : 0;
    }

    function regionByRoutingKey(bytes32 routingKey) external view returns (uint32) {
        uint32 regionId = routingKeys[routingKey];
        return records[regionId].routingKey == routingKey ? regionId : 0;
    }

    function holderOf(uint128 ip) external view returns (uint32 regionId, Prefix memory prefix) {
        (uint128 network, Intervals.Node memory node) = held.find(ip);
        return (node.holder, Prefix(network, node.length));
    }

    function fabrics() external view returns (string[] memory names) {
        return fabricNames;
    }

    function roleOf(uint32 regionId, address caller) public view returns (Role) {
        AgentKey memory key = agentKeys[caller];
        if (regionId != 0 && key.regionId == regionId && key.retiredAt == 0) return Role.Agent;
        return caller != address(0) && records[regionId].treasury == caller ? Role.Treasury : Role.None;
    }

    function roleAndAttestationOf(uint32 regionId, address caller) external view returns (Role, Attestation) {
        return (roleOf(regionId, caller), attestationOf[regionId]);
    }

    function signedFor(uint32 regionId, address key, uint40 since) external view returns (bool) {
        AgentKey storage record = agentKeys[key];
        return regionId != 0 && record.regionId == regionId && (record.retiredAt == 0 || record.retiredAt >= since);
    }

    function treasuryOf(uint32 regionId) external view returns (address) {
        return records[regionId].treasury;
    }

    // Shared by admission and later changes.

    function requireKnown(uint32 regionId) private view {
        if (!isRegion(regionId)) revert UnknownRegion(regionId);
    }

    function setAttestation(
        uint32 regionId,
        uint32 organisation,
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

    function setAgent(uint32 regionId, address agent) private {
        uint32 holder = agentKeys[agent].regionId;
        if (holder != 0) revert AgentKeyTaken(agent, holder);
        agentKeys[agent].regionId = regionId;
        records[regionId].agent = agent;
    }

    function setRoutingKey(uint32 regionId, bytes32 routingKey) private {
        if (routingKey == 0) revert MissingField("routing key");
        uint32 holder = routingKeys[routingKey];
        if (holder != 0) revert RoutingKeyTaken(routingKey, holder);
        routingKeys[routingKey] = regionId;
        records[regionId].routingKey = routingKey;
    }

    function hold(uint32 regionId, Prefix calldata prefix) private {
        held.add(prefix.network, prefix.length, regionId);
        records[regionId].prefixes.push(prefix);
    }

    function setControlUrls(uint32 regionId, ControlUrl[] calldata controlUrls) private {
        ControlUrl[] storage stored = records[regionId].controlUrls;
        delete records[regionId].controlUrls;
        for (uint256 i = 0; i < controlUrls.length; ++i) stored.push(controlUrls[i]);
    }
}
