// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Arithmetic} from "./Arithmetic.sol";
import {PairState, SellerState} from "../interfaces/IReputation.sol";

/// @title ReputationRule: decayed credit, capped by pair, weighted by the buyer's bond
/// @notice All integers: delivered credit is rounded down, failed credit up. docs/REPUTATION.md has the rule.
library ReputationRule {
    uint256 internal constant ONE = 1e9;
    uint256 internal constant PAIR_CAP = ONE;
    uint256 internal constant RAMP = 4 * ONE;
    uint256 internal constant FAILURE_WEIGHT = 3;
    uint256 internal constant SCALE = 1e6;
    uint256 internal constant HALF_LIFE_DAYS = 14;

    /// @dev Adds a settled lease to the states of its seller and pair; x and y are decayed from the lease's end already.
    function settle(
        SellerState memory seller,
        PairState memory pair,
        uint256 x,
        uint256 y,
        uint256 buyerBond,
        uint256 fullBond,
        uint32 day
    ) internal pure {
        uint256 weight = buyerBond < fullBond ? buyerBond : fullBond;
        uint256 cap = (PAIR_CAP * weight) / fullBond;
        (x, y) = capped((x * weight) / fullBond, Arithmetic.ceilDiv(y * weight, fullBond), cap);

        uint256 pairDelivered = decay(pair.delivered, day - pair.day);
        uint256 pairFailed = decay(pair.failed, day - pair.day);
        uint256 held = pairDelivered + pairFailed;
        (uint256 delivered, uint256 failed) = capped(pairDelivered + x, pairFailed + y, held > cap ? held : cap);

        seller.delivered = replaced(decay(seller.delivered, day - seller.day), pairDelivered, delivered);
        seller.failed = replaced(decay(seller.failed, day - seller.day), pairFailed, failed);
        seller.day = day;
        (pair.delivered, pair.failed, pair.day) = (uint96(delivered), uint96(failed), day);
    }

    /// @dev 0 to 10^6: breadth `min(D / RAMP, 1)` times reliability `D / (D + 3F)`.
    function score(uint256 delivered, uint256 failed) internal pure returns (uint256) {
        if (delivered == 0) return 0;
        uint256 breadth = delivered < RAMP ? delivered : RAMP;
        return (SCALE * breadth * delivered) / (RAMP * (delivered + FAILURE_WEIGHT * failed));
    }

    function scoreAt(SellerState memory seller, uint256 day) internal pure returns (uint256) {
        return score(decay(seller.delivered, day - seller.day), decay(seller.failed, day - seller.day));
    }

    /// @dev Halves every 14 days; the days between by exact constants.
    function decay(uint256 value, uint256 dayCount) internal pure returns (uint256) {
        uint256 halvings = dayCount / HALF_LIFE_DAYS;
        if (halvings >= 64) return 0;
        value >>= halvings;
        uint256 rest = dayCount % HALF_LIFE_DAYS;
        return rest == 0 ? value : (value * decayFactor(rest)) >> 64;
    }

    function capped(uint256 delivered, uint256 failed, uint256 cap) private pure returns (uint256, uint256) {
        uint256 sum = delivered + failed;
        return sum <= cap ? (delivered, failed) : ((delivered * cap) / sum, Arithmetic.ceilDiv(failed * cap, sum));
    }

    function replaced(uint256 total, uint256 part, uint256 by) private pure returns (uint96) {
        return uint96((total > part ? total - part : 0) + by);
    }

    /// @dev ⌊2^64 · 2^(−days/14)⌋
    function decayFactor(uint256 dayCount) private pure returns (uint256) {
        if (dayCount == 1) return 17555676923776752229;
        if (dayCount == 2) return 16707652636178719991;
        if (dayCount == 3) return 15900592032036389011;
        if (dayCount == 4) return 15132516366888310227;
        if (dayCount == 5) return 14401542479221475956;
        if (dayCount == 6) return 13705878173351620644;
        if (dayCount == 7) return 13043817825332782212;
        if (dayCount == 8) return 12413738201122729700;
        if (dayCount == 9) return 11814094476751270071;
        if (dayCount == 10) return 11243416450733715988;
        if (dayCount == 11) return 10700304939443141497;
        if (dayCount == 12) return 10183428346603629346;
        return 9691519398493622098;
    }
}
