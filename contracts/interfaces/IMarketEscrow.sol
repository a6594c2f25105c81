// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {AuctionId, RegionId} from "./Types.sol";

/// @title The market's side of the escrow
/// @notice Only the CapacityAuction that the escrow names can call these functions. Amounts are price units.
interface IMarketEscrow {
    /// @notice Takes the deposit for opening an auction; the first use in a week fixes what its budgets share.
    /// @param regionId region that opens.
    /// @param units the deposit.
    /// @param byAgent whether it counts against the agent key's allowance.
    /// @custom:reverts ILeaseEscrow.OnlyAuction · ILeaseEscrow.BalanceShort · ILeaseEscrow.AllowanceShort
    function takeDeposit(RegionId regionId, uint64 units, bool byAgent) external;

    /// @notice Takes the bond of a committed order.
    /// @param regionId region that orders.
    /// @param units the bond.
    /// @param byAgent whether it counts against the agent key's allowance.
    /// @custom:reverts ILeaseEscrow.OnlyAuction · ILeaseEscrow.BalanceShort · ILeaseEscrow.AllowanceShort
    function takeBond(RegionId regionId, uint64 units, bool byAgent) external;

    /// @notice A bid is revealed: gives its bond back and locks its whole amount; reserves `need` of the region's budget
    /// if the budget covers it.
    /// @param regionId region that bids.
    /// @param bond bond of the commit.
    /// @param amount price · lots · slots.
    /// @param byAgent whether both count against the agent key's allowance.
    /// @param week week whose budget pays.
    /// @param need the most that the boost can cost the budget; 0: no boost.
    /// @return covered whether the budget covers the boost (false for need 0).
    /// @custom:reverts ILeaseEscrow.OnlyAuction · ILeaseEscrow.BalanceShort · ILeaseEscrow.AllowanceShort
    function lockBid(
        RegionId regionId,
        uint64 bond,
        uint256 amount,
        bool byAgent,
        uint16 week,
        uint256 need
    ) external returns (bool covered);

    /// @notice An ask is revealed: its bond becomes its performance bond.
    /// @param regionId region that asks.
    /// @param bond bond of the commit.
    /// @custom:reverts ILeaseEscrow.OnlyAuction
    function bondAsk(RegionId regionId, uint64 bond) external;

    /// @notice An auction is over: bonds that were never revealed go to the pool, and the deposit goes back or to the
    /// pool.
    /// @param auctionId the auction.
    /// @param opener region that opened it.
    /// @param byAgent whether the deposit counts against the agent key's allowance.
    /// @param deposit deposit of the auction.
    /// @param depositBack whether the opener gets it back.
    /// @param lostBonds bonds of orders that were never revealed.
    /// @param root Merkle root of the leases; 0: no leases.
    /// @custom:reverts ILeaseEscrow.OnlyAuction
    function closeAuction(
        AuctionId auctionId,
        RegionId opener,
        bool byAgent,
        uint64 deposit,
        bool depositBack,
        uint64 lostBonds,
        bytes32 root
    ) external;

    /// @notice Frees what a bid locked beyond its fill, and gives back what its boost did not need.
    /// @param regionId region that bid.
    /// @param units what becomes free.
    /// @param byAgent whether it raises the agent key's allowance.
    /// @param week week whose budget was reserved.
    /// @param budgetBack what the boost did not need.
    /// @custom:reverts ILeaseEscrow.OnlyAuction
    function releaseBid(RegionId regionId, uint64 units, bool byAgent, uint16 week, uint64 budgetBack) external;

    /// @notice Frees the bond of lots that an ask did not sell.
    /// @param regionId region that asked.
    /// @param units what becomes free.
    /// @param byAgent whether it raises the agent key's allowance.
    /// @custom:reverts ILeaseEscrow.OnlyAuction
    function releaseAsk(RegionId regionId, uint64 units, bool byAgent) external;
}
