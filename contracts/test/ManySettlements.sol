// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {LeaseId, RegionId} from "../interfaces/Types.sol";
import {Reputation} from "../Reputation.sol";

/// @title ManySettlements: an escrow that only settles, for long histories in tests and benchmarks of the audit
/// @notice It creates the reputation contract, so it can record settlements; their values follow from the number of the lease.
contract ManySettlements {
    uint256 private constant ONE = 1e9;
    uint64 private constant FULL_BOND = 1e7;

    /// @notice The reputation contract that it records in.
    Reputation public immutable reputation;

    constructor() {
        reputation = new Reputation(FULL_BOND);
    }

    /// @notice Records leases `first` to `first + count − 1` of one seller, with its buyers in turn.
    /// @param seller number of the seller, 1 to `regions`.
    /// @param first number of the first lease.
    /// @param count how many leases.
    /// @param regions how many regions there are.
    /// @param contestedEvery one lease in so many is contested; 0: none.
    function settle(uint32 seller, uint256 first, uint256 count, uint32 regions, uint256 contestedEvery) external {
        uint32 day = uint32(block.timestamp / 1 days);
        for (uint256 lease = first; lease < first + count; ++lease) {
            uint256 r = uint256(keccak256(abi.encode(lease)));
            uint32 buyer = uint32((seller + (lease % (regions - 1))) % regions) + 1;
            uint128 promised = uint128(ONE / 10 + (r % ONE));
            // One in eight fails in part.
            uint128 failed = (r >> 64) % 8 == 0 ? uint128((promised * ((r >> 72) % 100)) / 100) : 0;
            uint64 bond = (r >> 96) % 4 == 0 ? FULL_BOND / 2 : FULL_BOND;
            bool contested = contestedEvery != 0 && lease % contestedEvery == 0;
            uint32 endDay = day - uint32((r >> 128) % 2);
            reputation.record(
                RegionId.wrap(seller),
                RegionId.wrap(buyer),
                LeaseId.wrap(bytes32(lease + 1)),
                promised - failed,
                failed,
                bond,
                endDay,
                contested
            );
        }
    }
}
