// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {RegionId} from "../interfaces/Types.sol";

/// @title Budgets: each week the pool of handicaps, lost bonds, break costs and fees is shared by score
/// @notice Only budgets take money out of the pool, and no budget is more than an eighth of what its week shares.
library Budgets {
    /// @dev The whole pool, the part of it that is reserved, and the current week.
    struct Pool {
        uint64 total;
        uint64 reserved;
        uint16 week;
    }

    /// @dev `start`: pool less reserved at the first use in the week. `sumScore`: of all regions registered for it.
    struct Week {
        uint64 start;
        uint32 sumScore;
    }

    /// @dev A region's share of a week: `used` is reserved or spent.
    struct Share {
        bool registered;
        uint16 score;
        uint64 used;
    }

    /// @dev The pool and everything on record about its budgets.
    struct State {
        Pool pool;
        mapping(uint16 week => Week) byWeek;
        mapping(uint16 week => mapping(RegionId regionId => Share)) shares;
    }

    /// @notice As `ILeaseEscrow.WeekStarted`.
    /// @param week week, counted from 1970.
    /// @param poolStart what the week's budgets share, in price units.
    event WeekStarted(uint16 indexed week, uint64 poolStart);

    uint256 private constant MAX_SHARE_DIVISOR = 8;

    /// @dev Weeks begin on Mondays, 00:00 UTC.
    function weekOf(uint256 timestamp) internal pure returns (uint16) {
        return uint16((timestamp / 1 days + 3) / 7);
    }

    function isLastDayOfWeek(uint256 timestamp) internal pure returns (bool) {
        return (timestamp / 1 days + 3) % 7 == 6;
    }

    /// @dev The first use of the pool in a week fixes what its budgets share.
    function startWeek(State storage self) internal {
        uint16 week = weekOf(block.timestamp);
        if (self.pool.week >= week) return;
        uint64 start = self.pool.total - self.pool.reserved;
        self.pool.week = week;
        self.byWeek[week].start = start;
        emit WeekStarted(week, start);
    }

    function budgetOf(State storage self, RegionId regionId, uint16 week) internal view returns (uint64) {
        Week storage w = self.byWeek[week];
        if (w.sumScore == 0) return 0;
        uint256 share = (uint256(w.start) * self.shares[week][regionId].score) / w.sumScore;
        uint256 limit = w.start / MAX_SHARE_DIVISOR;
        return uint64(share < limit ? share : limit);
    }

    /// @dev An auction of last week can reveal in this week, whose budgets share what last week's left; so the pool must
    /// cover `need` too.
    function reserve(State storage self, RegionId regionId, uint16 week, uint256 need) internal returns (bool) {
        Share storage share = self.shares[week][regionId];
        if (need == 0 || share.used + need > budgetOf(self, regionId, week)) return false;
        if (need > self.pool.total - self.pool.reserved) return false;
        share.used += uint64(need);
        self.pool.reserved += uint64(need);
        return true;
    }

    function giveBack(State storage self, RegionId regionId, uint16 week, uint64 amount) internal {
        self.shares[week][regionId].used -= amount;
        self.pool.reserved -= amount;
    }

    function add(State storage self, uint256 amount) internal {
        if (amount == 0) return;
        startWeek(self);
        self.pool.total += uint64(amount);
    }

    /// @dev A lease settled: frees what was reserved for it, adds `paidIn` and takes out `paidOut`, the seller's pay.
    function settle(State storage self, uint256 reserved, uint256 paidIn, uint256 paidOut) internal {
        startWeek(self);
        Pool memory pool = self.pool;
        pool.reserved -= uint64(reserved);
        pool.total = uint64(pool.total + paidIn - paidOut);
        assert(pool.reserved <= pool.total);
        self.pool = pool;
    }
}
