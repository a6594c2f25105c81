// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {PairState, SellerState} from "../../contracts/interfaces/IReputation.sol";
import {ReputationRule} from "../../contracts/libraries/ReputationRule.sol";

contract ReputationRuleTest {
    uint256 private constant FULL_BOND = 1e7;

    function testFuzz_ScoreStaysInItsScaleAndOnlyFades(uint96 delivered, uint96 failed, uint16 dayCount) external pure {
        uint256 now_ = ReputationRule.score(delivered, failed);
        assert(now_ <= ReputationRule.SCALE);
        uint256 later = ReputationRule.score(
            ReputationRule.decay(delivered, dayCount),
            ReputationRule.decay(failed, dayCount)
        );
        // Where next to nothing is left, rounding moves the ratio: below a reference lease it decides nothing.
        if (delivered < 4 * ReputationRule.ONE && failed < 4 * ReputationRule.ONE) assert(later <= now_ + 1);
    }

    function testFuzz_APairNeverHoldsMoreThanItsCap(uint256 seed) external pure {
        SellerState memory seller;
        PairState memory pair;
        uint32 day = 20_000;
        for (uint256 i = 0; i < 8; ++i) {
            uint256 r = uint256(keccak256(abi.encode(seed, i)));
            day += uint32(r % 9);
            ReputationRule.settle(
                seller,
                pair,
                (r >> 8) % 5e9,
                (r >> 72) % 5e9,
                (r >> 136) % (2 * FULL_BOND),
                FULL_BOND,
                day
            );
            assert(uint256(pair.delivered) + pair.failed <= ReputationRule.PAIR_CAP + 1);
            // One pair only: the seller's sums are the pair's.
            assert(seller.delivered >= pair.delivered && seller.delivered - pair.delivered <= 2 * (i + 1));
            // One partner is a quarter of the scale.
            assert(ReputationRule.scoreAt(seller, day) <= ReputationRule.SCALE / 4 + 1);
        }
    }

    function testFuzz_ABuyerWithoutABondSaysNothing(uint96 x, uint96 y) external pure {
        SellerState memory seller;
        PairState memory pair;
        ReputationRule.settle(seller, pair, x, y, 0, FULL_BOND, 1);
        assert(seller.delivered == 0 && seller.failed == 0);
    }
}
