// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {LeaseId, RegionId} from "./Types.sol";

/// @notice A seller's decayed credit as of `day`.
/// @param delivered D, in micro-units: 10^9 is one reference lease.
/// @param failed F, in micro-units.
/// @param day days since 1970, UTC.
struct SellerState {
    uint96 delivered;
    uint96 failed;
    uint32 day;
}

/// @notice One buyer's part of a seller's credit, as of `day`.
/// @param delivered in micro-units.
/// @param failed in micro-units.
/// @param day days since 1970, UTC.
struct PairState {
    uint96 delivered;
    uint96 failed;
    uint32 day;
}

/// @title Reputation: scores that follow from settlements only
/// @notice Only the escrow can record a settlement; no account can set, pause or change a score (INV-7).
interface IReputation {
    /// @notice A settlement was recorded: everything the rule read, so that the same events always give the same state,
    /// and the two states that it wrote.
    /// @param seller region that delivered.
    /// @param buyer region that the seller's credit comes from.
    /// @param leaseId the settled lease.
    /// @param delivered x, in micro-units as settled, before decay from the lease's end.
    /// @param failed y, in micro-units as settled, before decay from the lease's end.
    /// @param buyerBond the buyer's membership bond at the settlement, in price units; 0 while it exits.
    /// @param endDay day of the lease's end, in days since 1970.
    /// @param day day of the settlement, in days since 1970.
    /// @param sellerState the seller's state afterwards.
    /// @param pairState the pair's state afterwards.
    event LeaseRecorded(
        RegionId indexed seller,
        RegionId indexed buyer,
        LeaseId indexed leaseId,
        uint128 delivered,
        uint128 failed,
        uint64 buyerBond,
        uint32 endDay,
        uint32 day,
        SellerState sellerState,
        PairState pairState
    );

    /// @notice More than a twentieth of a lease was void or disputed: leases between the two regions give no credit for
    /// 14 days.
    /// @param lower the smaller region number of the pair.
    /// @param higher the larger region number of the pair.
    /// @param until end of the suspension, Unix second.
    event CreditSuspended(RegionId indexed lower, RegionId indexed higher, uint40 until);

    /// @notice The caller is not the escrow that created this contract.
    /// @param caller sender of the call.
    error OnlyEscrow(address caller);

    /// @notice The score was asked for a day before the seller's last settlement.
    /// @param regionId the seller.
    /// @param day the day asked for, in days since 1970.
    /// @param settled day of the seller's last settlement, in days since 1970.
    error DayBeforeSettlement(RegionId regionId, uint32 day, uint32 settled);

    /// @notice Records the settlement of a lease.
    /// @param seller region that delivered.
    /// @param buyer region that bought.
    /// @param leaseId the settled lease.
    /// @param delivered x, in micro-units before decay.
    /// @param failed y, in micro-units before decay.
    /// @param buyerBond the buyer's membership bond, in price units; 0 while it exits.
    /// @param endDay day of the lease's end, in days since 1970.
    /// @param contested whether more than a twentieth of the term was void or disputed: the pair's credit is suspended
    /// for 14 days.
    /// @custom:reverts OnlyEscrow
    function record(
        RegionId seller,
        RegionId buyer,
        LeaseId leaseId,
        uint128 delivered,
        uint128 failed,
        uint64 buyerBond,
        uint32 endDay,
        bool contested
    ) external;

    /// @notice The membership bond at which a buyer's settlements have full weight.
    /// @return units in price units.
    function fullBond() external view returns (uint64 units);

    /// @notice The escrow that may record settlements.
    /// @return escrowAddress its address.
    function escrow() external view returns (address escrowAddress);

    /// @notice A seller's score as of the block's day.
    /// @param regionId the seller.
    /// @return score_ 0 to 10^6.
    function score(RegionId regionId) external view returns (uint32 score_);

    /// @notice A seller's score as of a day, if no further lease is settled until then.
    /// @param regionId the seller.
    /// @param day days since 1970; not before the seller's last settlement.
    /// @return score_ 0 to 10^6.
    /// @custom:reverts DayBeforeSettlement
    function scoreAt(RegionId regionId, uint32 day) external view returns (uint32 score_);

    /// @notice A seller's score at the end of yesterday: no settlement of today changes it.
    /// @param regionId the seller.
    /// @return score_ 0 to 1000.
    function closingScore(RegionId regionId) external view returns (uint16 score_);

    /// @notice A seller's stored credit, not decayed to today.
    /// @param regionId the seller.
    /// @return current state after the last settlement.
    /// @return checkpoint state before the first settlement of `current.day`.
    function sellerState(
        RegionId regionId
    ) external view returns (SellerState memory current, SellerState memory checkpoint);

    /// @notice The stored credit of a seller from one buyer, not decayed to today.
    /// @param seller region that delivered.
    /// @param buyer region that bought.
    /// @return state state after the pair's last settlement.
    function pairState(RegionId seller, RegionId buyer) external view returns (PairState memory state);

    /// @notice Until when leases between two regions give no credit, in either direction.
    /// @param one one region of the pair.
    /// @param other the other region of the pair.
    /// @return until Unix second; 0: credit was never suspended.
    function creditSuspendedUntil(RegionId one, RegionId other) external view returns (uint40 until);
}
