// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Settlement} from "../../contracts/interfaces/ILeaseEscrow.sol";
import {SettlementRule} from "../../contracts/libraries/SettlementRule.sol";

contract SettlementRuleTest {
    /// @dev INV-1 in one lease: what the seller gets beyond what the buyer pays is at most what the budget pays, so the
    /// pool never falls below what is reserved; and nobody loses more than it locked or bonded.
    function testFuzz_NoPaymentExceedsWhatWasLocked(uint256 seed) external pure {
        (SettlementRule.Terms memory t, SettlementRule.Facts memory f) = caseOf(seed);
        Settlement memory s = SettlementRule.settle(t, f);
        uint256 buyerTotal = t.lots * t.buyerPrice * t.slots;
        uint256 budgetTotal = t.lots * (t.price - t.buyerPrice) * t.slots;
        assert(s.buyerPays <= buyerTotal);
        assert(s.budgetPays <= budgetTotal);
        assert(uint256(s.sellerGets) <= uint256(s.buyerPays) + s.budgetPays);
        assert(s.slash <= t.bondShare);
        assert(uint256(s.fee) <= uint256(s.sellerGets) + t.bondShare - s.slash);
    }

    /// @dev Every second of the lease is available, in dispute, failed or void, and is counted once.
    function testFuzz_SecondsAddUp(uint256 seed) external pure {
        (SettlementRule.Terms memory t, SettlementRule.Facts memory f) = caseOf(seed);
        Settlement memory s = SettlementRule.settle(t, f);
        assert(s.lower <= s.upper);
        assert(uint256(s.upper) + s.failed + s.voided == f.end);
        uint256 promised = (t.mbps * 60 * t.slots * 1e9) / 360_000;
        assert(s.delivered <= promised);
    }

    /// @dev If both agree that a seller delivered more, it is not paid less, not slashed more, and has no more failed
    /// credit. (The credit fee can be more than a lease at a tiny price earns.)
    function testFuzz_MoreDeliveredIsNeverLess(uint256 seed, uint16 more) external pure {
        (SettlementRule.Terms memory t, SettlementRule.Facts memory f) = caseOf(seed);
        f.claimed = false;
        Settlement memory less = SettlementRule.settle(t, f);
        f.available += more % (f.covered - f.available + 1);
        Settlement memory s = SettlementRule.settle(t, f);
        assert(s.sellerGets >= less.sellerGets);
        assert(s.notDelivered <= less.notDelivered);
        assert(s.slash <= less.slash);
    }

    /// @dev A false claim earns its author nothing: a buyer's lower claim does not lower what it pays, a seller's higher
    /// claim does not raise what it gets.
    function testFuzz_NoClaimEarnsItsAuthorPay(uint256 seed, uint16 truth, uint16 lie) external pure {
        (SettlementRule.Terms memory t, SettlementRule.Facts memory f) = caseOf(seed);
        (f.claimed, f.silent) = (true, SettlementRule.Silent.Neither);
        (f.lowerClaim, f.upperClaim) = (truth, truth);
        Settlement memory honest = SettlementRule.settle(t, f);
        if (lie > truth) {
            f.upperClaim = lie; // the seller's
            assert(SettlementRule.settle(t, f).sellerGets == honest.sellerGets);
        } else {
            f.lowerClaim = lie; // the buyer's
            assert(SettlementRule.settle(t, f).buyerPays == honest.buyerPays);
        }
    }

    function caseOf(uint256 seed) private pure returns (SettlementRule.Terms memory t, SettlementRule.Facts memory f) {
        uint256 r = uint256(keccak256(abi.encode(seed)));
        t.slots = 5 + (r & 0xff);
        t.lots = 1 + ((r >> 8) & 0xff);
        t.mbps = t.lots * (1 + ((r >> 16) & 0x3ff));
        t.price = 1 + ((r >> 32) & 0xffff);
        t.buyerPrice = t.price - (t.price * ((r >> 48) & 0x1f)) / 128;
        // r = ⌊p / (1 + handicap)⌋ is never above P.
        t.sellerPrice = t.price - (t.price * ((r >> 56) & 0xf)) / 160;
        t.bondShare = (r >> 64) & 0xffffffff;
        t.creditFee = (r >> 96) & 0xffff;
        uint256 term = 60 * t.slots;
        f.end = (r >> 112) & 1 == 0 ? term : 10 * (((r >> 113) & 0xffff) % (6 * t.slots + 1));
        f.covered = 10 * (((r >> 130) & 0xffff) % (f.end / 10 + 1));
        f.available = ((r >> 146) & 0xffff) % (f.covered + 1);
        f.claimed = (r >> 162) & 1 == 1;
        f.lowerClaim = ((r >> 163) & 0xffff) % (term + 1);
        f.upperClaim = f.lowerClaim + ((r >> 179) & 0x3f);
        f.silent = SettlementRule.Silent((r >> 190) % 3);
    }
}
