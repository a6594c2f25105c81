// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IReputation, PairState, SellerState} from "./interfaces/IReputation.sol";
import {LeaseId, RegionId} from "./interfaces/Types.sol";
import {ReputationRule} from "./libraries/ReputationRule.sol";

/// @title Reputation: scores that follow from settlements only
/// @notice Created by the escrow, the only account that can record a settlement.
contract Reputation is IReputation {
    using ReputationRule for SellerState;

    uint256 private constant CREDIT_SUSPENSION = 14 days;

    /// @inheritdoc IReputation
    address public immutable escrow;
    /// @inheritdoc IReputation
    uint64 public immutable fullBond;

    mapping(RegionId seller => SellerState) private sellers;
    /// @dev A seller's state before the first settlement of its day: yesterday's score is read from it.
    mapping(RegionId seller => SellerState) private checkpoints;
    mapping(RegionId seller => mapping(RegionId buyer => PairState)) private pairs;
    mapping(RegionId lower => mapping(RegionId higher => uint40 until)) private creditSuspensions;

    /// @notice The sender is the escrow of this contract.
    /// @param fullBond_ membership bond at which a buyer's settlements have full weight, in price units.
    constructor(uint64 fullBond_) {
        escrow = msg.sender;
        fullBond = fullBond_;
    }

    /// @inheritdoc IReputation
    function record(
        RegionId seller,
        RegionId buyer,
        LeaseId leaseId,
        uint128 delivered,
        uint128 failed,
        uint64 buyerBond,
        uint32 endDay,
        bool contested
    ) external {
        if (msg.sender != escrow) revert OnlyEscrow(msg.sender);
        uint32 day = today();
        SellerState memory sellerState_ = sellers[seller];
        PairState memory pairState_ = pairs[seller][buyer];
        if (sellerState_.day < day) checkpoints[seller] = sellerState_;

        uint256 age = day > endDay ? day - endDay : 0;
        uint256 x = ReputationRule.decay(delivered, age);
        uint256 y = ReputationRule.decay(failed, age);
        ReputationRule.settle(sellerState_, pairState_, x, y, buyerBond, fullBond, day);
        sellers[seller] = sellerState_;
        pairs[seller][buyer] = pairState_;
        emit LeaseRecorded(seller, buyer, leaseId, delivered, failed, buyerBond, endDay, day, sellerState_, pairState_);
        if (contested) suspendCredit(seller, buyer);
    }

    /// @inheritdoc IReputation
    function score(RegionId regionId) external view returns (uint32 score_) {
        return scoreAt(regionId, today());
    }

    /// @inheritdoc IReputation
    function scoreAt(RegionId regionId, uint32 day) public view returns (uint32 score_) {
        SellerState memory state = sellers[regionId];
        if (day < state.day) revert DayBeforeSettlement(regionId, day, state.day);
        return uint32(state.scoreAt(day));
    }

    /// @inheritdoc IReputation
    function closingScore(RegionId regionId) external view returns (uint16 score_) {
        uint32 day = today();
        SellerState memory state = sellers[regionId];
        if (state.day == day) state = checkpoints[regionId];
        return state.delivered == 0 ? 0 : uint16(state.scoreAt(day - 1) / 1000);
    }

    /// @inheritdoc IReputation
    function sellerState(
        RegionId regionId
    ) external view returns (SellerState memory current, SellerState memory checkpoint) {
        return (sellers[regionId], checkpoints[regionId]);
    }

    /// @inheritdoc IReputation
    function pairState(RegionId seller, RegionId buyer) external view returns (PairState memory state) {
        return pairs[seller][buyer];
    }

    /// @inheritdoc IReputation
    function creditSuspendedUntil(RegionId one, RegionId other) external view returns (uint40 until) {
        return one < other ? creditSuspensions[one][other] : creditSuspensions[other][one];
    }

    function suspendCredit(RegionId one, RegionId other) private {
        (RegionId lower, RegionId higher) = one < other ? (one, other) : (other, one);
        uint40 until = uint40(block.timestamp + CREDIT_SUSPENSION);
        creditSuspensions[lower][higher] = until;
        emit CreditSuspended(lower, higher, until);
    }

    function today() private view returns (uint32) {
        return uint32(block.timestamp / 1 days);
    }
}
