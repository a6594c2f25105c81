// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {PairState, SellerState} from "../../contracts/interfaces/IReputation.sol";
import {ReputationRule} from "../../contracts/libraries/ReputationRule.sol";

contract ReputationRuleTest {
    uint256 private constant FULL_BOND = 1e7;

    function testFuzz_ScoreStaysInItsScaleAndOnlyDecays(
        uint96 delivered,
        uint96 failed,
        uint16 dayCount
    ) external pure {
        uint256 now_ = ReputationRule.score(delivered, failed);
        assert(now_ <= ReputationRule.SCALE);
        uint256 later = ReputationRule.score(
            ReputationRule.decay(delivered, dayCount),
            ReputationRule.decay(failed, dayCount)
        );
        // With almost no credit left, rounding changes the ratio; below a reference lease this does not matter.
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

    function testFuzz_APerfectLeaseNeverLowersTheScoreAndAFailedOneNeverRaisesIt(
        uint256 seed,
        uint64 amount,
        uint32 bond
    ) external pure {
        uint256 promised = amount % (2 * ReputationRule.ONE);
        (SellerState memory seller, PairState[4] memory pairs, uint32 day) = history(seed);
        uint256 before = ReputationRule.scoreAt(seller, day);
        ReputationRule.settle(seller, pairs[seed % 4], promised, 0, bond, FULL_BOND, day);
        assert(ReputationRule.scoreAt(seller, day) + 1 >= before);

        (seller, pairs, day) = history(seed);
        ReputationRule.settle(seller, pairs[seed % 4], 0, promised, bond, FULL_BOND, day);
        assert(ReputationRule.scoreAt(seller, day) <= before + 1);
    }

    function testFuzz_DeliveringMoreNeverLowersTheScore(uint256 seed, uint64 one, uint64 other) external pure {
        uint256 promised = ReputationRule.ONE;
        uint256 less = one < other ? one : other;
        uint256 more = one < other ? other : one;
        (less, more) = (less % (promised + 1), more % (promised + 1));
        if (less > more) (less, more) = (more, less);
        (SellerState memory seller, PairState[4] memory pairs, uint32 day) = history(seed);
        ReputationRule.settle(seller, pairs[0], less, promised - less, FULL_BOND, FULL_BOND, day);
        uint256 low = ReputationRule.scoreAt(seller, day);
        (seller, pairs, day) = history(seed);
        ReputationRule.settle(seller, pairs[0], more, promised - more, FULL_BOND, FULL_BOND, day);
        assert(ReputationRule.scoreAt(seller, day) + 1 >= low);
    }

    /// @dev 4.6: the seller's sum and its pairs', as of the last day.
    function testFuzz_TheSumDriftsByLessThanAMicroUnitPerSettlement(uint256 seed) external pure {
        (SellerState memory seller, PairState[4] memory pairs, uint32 day) = history(seed);
        uint256 sum = 0;
        for (uint256 i = 0; i < 4; ++i) sum += ReputationRule.decay(pairs[i].delivered, day - pairs[i].day);
        uint256 drift = seller.delivered > sum ? seller.delivered - sum : sum - seller.delivered;
        assert(drift <= 12);
    }

    /// @dev Twelve settlements with four buyers over some weeks.
    function history(
        uint256 seed
    ) private pure returns (SellerState memory seller, PairState[4] memory pairs, uint32 day) {
        day = 20_000;
        for (uint256 i = 0; i < 12; ++i) {
            uint256 r = uint256(keccak256(abi.encode(seed, i)));
            day += uint32(r % 9);
            uint256 failed = (r >> 8) % 3 == 0 ? (r >> 72) % 1e9 : 0;
            uint256 bond = (r >> 136) % (2 * FULL_BOND);
            ReputationRule.settle(seller, pairs[(r >> 200) % 4], (r >> 16) % 3e9, failed, bond, FULL_BOND, day);
        }
    }
}
