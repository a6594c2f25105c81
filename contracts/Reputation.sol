// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IReputation, PairState, SellerState} from "./interfaces/IReputation.sol";
import {ReputationRule} from "./libraries/ReputationRule.sol";

contract Reputation is IReputation {
    using ReputationRule for SellerState;

    uint256 private constant CREDIT_SUSPENSION = 14 days;

    address public immutable escrow;
    uint64 public immutable fullBond;

    mapping(uint32 regionId => SellerState) private sellers;
    /// @dev The raw state before the first touch of the seller's day: what yesterday's score is read from.
    mapping(uint32 regionId => SellerState) private checkpoints;
    mapping(uint32 seller => mapping(uint32 buyer => PairState)) private pairs;
    mapping(uint32 lower => mapping(uint32 higher => uint40)) private creditSuspensions;

    /// @dev Created by the escrow, which thereby is the one writer.
    constructor(uint64 fullBond_) {
        escrow = msg.sender;
        fullBond = fullBond_;
    }

    function record(
        uint32 seller,
        uint32 buyer,
        bytes32 leaseId,
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

    function score(uint32 regionId) external view returns (uint32) {
        return scoreAt(regionId, today());
    }

    function scoreAt(uint32 regionId, uint32 day) public view returns (uint32) {
        SellerState memory state = sellers[regionId];
        if (day < state.day) revert DayBeforeSettlement(regionId, day, state.day);
        return uint32(state.scoreAt(day));
    }

    function closingScore(uint32 regionId) external view returns (uint16) {
        uint32 day = today();
        SellerState memory state = sellers[regionId];
        if (state.day == day) state = checkpoints[regionId];
        return state.delivered == 0 ? 0 : uint16(state.scoreAt(day - 1) / 1000);
    }

    function sellerState(
        uint32 regionId
    ) external view returns (SellerState memory current, SellerState memory checkpoint) {
        return (sellers[regionId], checkpoints[regionId]);
    }

    function pairState(uint32 seller, uint32 buyer) external view returns (PairState memory) {
        return pairs[seller][buyer];
    }

    function creditSuspendedUntil(uint32 one, uint32 other) external view returns (uint40) {
        return one < other ? creditSuspensions[one][other] : creditSuspensions[other][one];
    }

    function suspendCredit(uint32 one, uint32 other) private {
        (uint32 lower, uint32 higher) = one < other ? (one, other) : (other, one);
        uint40 until = uint40(block.timestamp + CREDIT_SUSPENSION);
        creditSuspensions[lower][higher] = until;
        emit CreditSuspended(lower, higher, until);
    }

    function today() private view returns (uint32) {
        return uint32(block.timestamp / 1 days);
    }
}
