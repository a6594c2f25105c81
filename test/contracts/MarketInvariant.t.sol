// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {PoolView} from "../../contracts/interfaces/ILeaseEscrow.sol";
import {MarketActors} from "./MarketActors.sol";
import {vm} from "./Vm.sol";

contract MarketInvariantTest {
    /// @dev scripts/test multiplies it by the runs.
    uint256 private constant STORY_ACTIONS = 84;

    error StoriesTooTame(uint256 leases, uint256 settledEarly, uint256 boosts, uint256 copies);

    MarketActors private actors;

    function setUp() public {
        vm.warp(1_790_000_000);
        actors = new MarketActors();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(actors);
    }

    /// @dev INV-1: every token is in an account, a bond, a deposit or the pool, and budgets are covered.
    function invariant_Solvency() external view {
        requireSolvent();
    }

    /// @dev Random steps, chosen so that auctions lead to leases and leases to disputes; INV-1 after each, INV-4 at the end.
    function testFuzz_AnyStoryStaysSolventAndEnds(uint256 seed) external {
        tell(seed);
        assert(actors.calls() == STORY_ACTIONS);
        actors.endEverything();
        requireSolvent();
        assert(actors.nothingIsHeld());
        (uint256 all, uint256 ended) = actors.leaseCount();
        assert(all == ended);
    }

    /// @dev The stories above do reach leases, more than one way to settle, boosts paid by budgets and copied commitments.
    function test_TheStoriesReachLeasesBoostsAndCopies() external {
        (uint256 leases, uint256 settledEarly) = (0, 0);
        for (uint256 seed = 0; seed < 16; ++seed) {
            tell(seed);
            (, uint256 before) = actors.leaseCount();
            settledEarly += before - leases;
            actors.endEverything();
            (leases, ) = actors.leaseCount();
        }
        if (leases < 32 || settledEarly < 8 || actors.boosts() == 0 || actors.copied() == 0)
            revert StoriesTooTame(leases, settledEarly, actors.boosts(), actors.copied());
    }

    function tell(uint256 seed) private {
        for (uint256 round = 0; round < 3; ++round) {
            uint256 r = uint256(keccak256(abi.encode(seed, round)));
            actors.registerBudgets();
            actors.muchLater(1 + uint8(r % 2));
            actors.open(uint8(r), uint16(r >> 8));
            for (uint8 who = 0; who < 5; ++who) {
                uint256 o = uint256(keccak256(abi.encode(r, who)));
                // The last one is a copier now and then.
                if (who == 4 && (o >> 48) % 3 == 0) actors.copy(0, who, uint8(o >> 56));
                else
                    actors.commit(
                        0,
                        who,
                        uint16(o),
                        uint8(o >> 16),
                        uint8(o >> 24),
                        (o >> 32) % 2 == 0,
                        uint8(o >> 40)
                    );
            }
            requireSolvent();
            step(uint256(keccak256(abi.encode(r, "meanwhile"))));
            requireSolvent();
            actors.nextBlocks(4);
            actors.reveal(0, uint8(r >> 24), uint8(r >> 32));
            requireSolvent();
            // One in eight stories leaves some orders hidden, one in seven its book uncleared.
            if (r % 8 != 0) actors.revealAll(0);
            else actors.reveal(0, uint8(r >> 40), uint8(r >> 48));
            requireSolvent();
            actors.nextBlocks(5);
            if (r % 7 != 0) actors.clear(0);
            else actors.collect(0, uint8(r >> 56));
            actors.serve(0);
            actors.serve(1);
            for (uint256 i = 0; i < 12; ++i) {
                requireSolvent();
                step(uint256(keccak256(abi.encode(r, "then", i))));
            }
            requireSolvent();
        }
    }

    function step(uint256 r) private {
        uint256 what = r % 16;
        r >>= 8;
        if (what == 0) actors.reveal(uint8(r), uint8(r >> 8), uint8(r >> 16));
        else if (what == 1) actors.collect(uint8(r), uint8(r >> 8));
        else if (what < 4)
            actors.settle(uint8(r), uint16(r >> 8), uint16(r >> 24), (r >> 40) & 3 == 0, (r >> 48) & 7 == 0);
        else if (what < 6) actors.claim(uint8(r), uint16(r >> 8), (r >> 24) & 1 == 0);
        else if (what == 6) actors.settleAfterWindow(uint8(r));
        else if (what == 7) actors.treasury(uint8(r), uint8(r >> 8), uint32(r >> 16));
        else if (what == 8) actors.fund(uint8(r), uint32(r >> 8));
        else if (what == 9) actors.callWithoutRight(uint8(r), uint64(r >> 8));
        else if (what == 10) actors.later(uint32(r));
        else if (what == 11) actors.muchLater(uint8(r));
        else if (what == 12) actors.cancel(uint8(r));
        else if (what == 13) actors.copy(uint8(r), uint8(r >> 8), uint8(r >> 16));
        else if (what == 14) actors.hostileToken(uint8(r), uint8(r >> 8), uint32(r >> 16));
        else actors.registerBudgets();
    }

    function requireSolvent() private view {
        assert(actors.token().balanceOf(address(actors.escrow())) == actors.unitsHeld());
        PoolView memory p = actors.escrow().pool();
        assert(p.reserved <= p.pool);
    }
}
