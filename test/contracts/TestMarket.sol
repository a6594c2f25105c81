// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AccessManager} from "@openzeppelin/contracts/access/manager/AccessManager.sol";
import {CapacityAuction} from "../../contracts/CapacityAuction.sol";
import {AuctionConstants} from "../../contracts/interfaces/ICapacityAuction.sol";
import {EscrowConstants} from "../../contracts/interfaces/ILeaseEscrow.sol";
import {Admission, ControlUrl, Place, Prefix} from "../../contracts/interfaces/IMembership.sol";
import {OrganisationId, RegionId} from "../../contracts/interfaces/Types.sol";
import {LeaseEscrow} from "../../contracts/LeaseEscrow.sol";
import {Membership} from "../../contracts/Membership.sol";
import {HostileToken} from "../../contracts/test/HostileToken.sol";
import {vm} from "./Vm.sol";

/// @notice A market as it is deployed, with regions that have keys and money.
/// @dev Creation code comes from the artifacts: compiled into a test, it would be compiled once more for each.
abstract contract TestMarket {
    uint64 internal constant DEPOSIT = 500;
    uint64 internal constant MIN_BOND = 100;

    Membership public immutable membership;
    LeaseEscrow public immutable escrow;
    CapacityAuction public immutable auction;
    HostileToken public immutable token;

    constructor() {
        AccessManager manager = AccessManager(create("AccessManager", abi.encode(address(this))));
        token = HostileToken(create("HostileToken", abi.encode(address(this))));
        membership = Membership(create("Membership", abi.encode(manager)));
        address next = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 1);
        EscrowConstants memory e = EscrowConstants(1, 100, 1_000);
        escrow = LeaseEscrow(create("LeaseEscrow", abi.encode(membership, token, next, e)));
        AuctionConstants memory a = AuctionConstants(4, 8, 6, MIN_BOND, DEPOSIT, 500, 999_000_000);
        auction = CapacityAuction(create("CapacityAuction", abi.encode(membership, escrow, a)));
        membership.addFabric("ix");
    }

    /// @dev Region numbers follow one another; each is an organisation of its own.
    function admit(uint32 i, uint64 money, uint56 allowance) internal {
        RegionId id = RegionId.wrap(i);
        Prefix[] memory prefixes = new Prefix[](0);
        Admission memory a = Admission({
            name: string(abi.encodePacked("region-", i)),
            organisation: OrganisationId.wrap(i),
            treasury: treasuryOf(id),
            agent: agentOf(id),
            routingKey: bytes32(uint256(i)),
            place: Place(0, 0, 1e9),
            attributes: 0,
            fabrics: 1,
            prefixes: prefixes,
            controlUrls: new ControlUrl[](0)
        });
        membership.admit(a);
        token.mint(address(this), money);
        token.approve(address(escrow), money);
        escrow.deposit(id, money);
        vm.prank(treasuryOf(id));
        escrow.setAllowance(id, allowance);
    }

    function agentOf(RegionId regionId) internal pure returns (address) {
        return vm.addr(1_000_000 + RegionId.unwrap(regionId));
    }

    function treasuryOf(RegionId regionId) internal pure returns (address) {
        return vm.addr(2_000_000 + RegionId.unwrap(regionId));
    }

    function signature(RegionId regionId, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(1_000_000 + RegionId.unwrap(regionId), digest);
        return abi.encodePacked(r, s, v);
    }

    function create(string memory name, bytes memory arguments) private returns (address made) {
        bytes memory code = abi.encodePacked(vm.getCode(name), arguments);
        assembly {
            made := create(0, add(code, 0x20), mload(code))
        }
        assert(made != address(0));
    }
}
