// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @notice A seller's decayed credit: delivered D, failed F, as of `day`.
struct SellerState {
    uint96 delivered;
    uint96 failed;
    uint32 day;
}

/// @notice What one buyer's word adds to a seller: a and b, as of `day`.
struct PairState {
    uint96 delivered;
    uint96 failed;
    uint32 day;
}

/// @title Reputation: scores from settlements, and from nothing else
/// @notice `record` is callable by the escrow alone; no setter, no pause, no owner (INV-7).
interface IReputation {
    /// @notice All that the rule read, so that the same events always give the same state; and what it wrote.
    /// @param delivered x, @param failed y: micro-units as settled, before decay from the lease's end.
    /// @param endDay day of the lease's end; `day` of the settlement. @param buyerBond as it weighed then.
    event LeaseRecorded(
        uint32 indexed seller,
        uint32 indexed buyer,
        bytes32 indexed leaseId,
        uint128 delivered,
        uint128 failed,
        uint64 buyerBond,
        uint32 endDay,
        uint32 day,
        SellerState sellerState,
        PairState pairState
    );
    /// @notice More than a twentieth of a lease was void or disputed: no credit between the two until then.
    event CreditSuspended(uint32 indexed lower, uint32 indexed higher, uint40 until);

    error OnlyEscrow(address caller);
    error DayBeforeSettlement(uint32 regionId, uint32 day, uint32 settled);

    /// @notice A lease settled.
    /// @param contested more than a twentieth of the term was void or disputed: the pair is blocked for 14 days.
    function record(
        uint32 seller,
        uint32 buyer,
        bytes32 leaseId,
        uint128 delivered,
        uint128 failed,
        uint64 buyerBond,
        uint32 endDay,
        bool contested
    ) external;

    function fullBond() external view returns (uint64);
    function escrow() external view returns (address);

    /// @return 0..10^6, as of the block's day.
    function score(uint32 regionId) external view returns (uint32);
    /// @param day since 1970; not before the seller's last settlement.
    /// @custom:reverts DayBeforeSettlement
    function scoreAt(uint32 regionId, uint32 day) external view returns (uint32);
    /// @return 0..1000, of yesterday: nothing that happens today moves it.
    function closingScore(uint32 regionId) external view returns (uint16);
    function sellerState(
        uint32 regionId
    ) external view returns (SellerState memory current, SellerState memory checkpoint);
    function pairState(uint32 seller, uint32 buyer) external view returns (PairState memory);
    /// @return second until which leases of the two carry no credit, either way; 0: never blocked.
    function creditSuspendedUntil(uint32 one, uint32 other) external view returns (uint40);
}
