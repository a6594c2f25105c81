// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Budgets: what handicaps, lost bonds, break costs and fees leave in the pool, shared out by score each week
/// @notice Nothing leaves the pool but what budgets pay, and a budget is never more than an eighth of the week's start.
library Budgets {
    struct Pool {
        uint64 total;
        uint64 reserved;
        uint16 week;
    }

    /// @param start pool less reserved at the first touch of the week. @param sumScore of who registered for it.
    struct Week {
        uint64 start;
        uint32 sumScore;
    }

    struct Part {
        bool registered;
        uint16 score;
        uint64 used;
    }

    struct State {
        Pool pool;
        mapping(uint16 week => Week) byWeek;
        mapping(uint16 week => mapping(uint32 regionId => Part)) parts;
    }

    event WeekStarted(uint16 indexed week, uint64 poolStart);

    uint256 private constant SHARE_LIMIT = 8;

    /// @notice Weeks begin on Mondays, UTC.
    function weekOf(uint256 timestamp) internal pure returns (uint16) {
        return uint16((timestamp / 1 days + 3) / 7);
    }

    function isLastDayOfWeek(uint256 timestamp) internal pure returns (bool) {
        return (timestamp / 1 days + 3) % 7 == 6;
    }

    /// @notice The first touch in a week fixes what its budgets share.
    function touch(State storage self) internal {
        uint16 week = weekOf(block.timestamp);
        if (self.pool.week >= week) return;
        uint64 start = self.pool.total - self.pool.reserved;
        self.pool.week = week;
        self.byWeek[week].start = start;
        emit WeekStarted(week, start);
    }

    function budgetOf(State storage self, uint32 regionId, uint16 week) internal view returns (uint64) {
        Week storage w = self.byWeek[week];
        if (w.sumScore == 0) return 0;
        uint256 share = (uint256(w.start) * self.parts[week][regionId].score) / w.sumScore;
        uint256 limit = w.start / SHARE_LIMIT;
        return uint64(share < limit ? share : limit);
    }

    /// @dev An auction of last week may reveal in this one, when this week's budgets share what last week's left: so
    /// the pool is asked as well.
    function reserve(State storage self, uint32 regionId, uint16 week, uint256 need) internal returns (bool) {
        Part storage part = self.parts[week][regionId];
        if (need == 0 || part.used + need > budgetOf(self, regionId, week)) return false;
        if (need > self.pool.total - self.pool.reserved) return false;
        part.used += uint64(need);
        self.pool.reserved += uint64(need);
        return true;
    }

    function giveBack(State storage self, uint32 regionId, uint16 week, uint64 amount) internal {
        self.parts[week][regionId].used -= amount;
        self.pool.reserved -= amount;
    }

    function add(State storage self, uint256 amount) internal {
        if (amount == 0) return;
        touch(self);
        self.pool.total += uint64(amount);
    }

    /// @notice A lease settled: what was reserved for it is free, `paidIn` came in and `paidOut` went to the seller.
    function settle(State storage self, uint256 reserved, uint256 paidIn, uint256 paidOut) internal {
        touch(self);
        Pool memory pool = self.pool;
        pool.reserved -= uint64(reserved);
        pool.total = uint64(pool.total + paidIn - paidOut);
        assert(pool.reserved <= pool.total);
        self.pool = pool;
    }
}
