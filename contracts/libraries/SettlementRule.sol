// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Arithmetic} from "./Arithmetic.sol";
import {Settlement} from "../interfaces/ILeaseEscrow.sol";

/// @title SettlementRule: who pays what for a lease, by what both parties signed and what each claims
/// @notice No claim about the seconds in dispute earns its author money.
library SettlementRule {
    uint256 internal constant EPOCH_SECONDS = 10;
    /// @dev Three epochs: the most that can be in dispute, and the longest that a seller must serve without a signature.
    uint256 internal constant GRACE_SECONDS = 30;
    uint256 internal constant SLOT_SECONDS = 60;
    uint256 internal constant ONE = 1e9;
    /// @dev Mbit of a reference lease: 100 Mbit/s for one hour.
    uint256 internal constant REFERENCE_MBITS = 360_000;

    /// @dev The party that posted neither a receipt nor a claim while the other one did.
    enum Silent {
        Neither,
        Seller,
        Buyer
    }

    /// @dev `mbps` of the whole lease; prices per lot and slot; `bondShare` and `creditFee` in price units.
    struct Terms {
        uint256 lots;
        uint256 mbps;
        uint256 slots;
        uint256 buyerPrice;
        uint256 sellerPrice;
        uint256 price;
        uint256 bondShare;
        uint256 creditFee;
    }

    /// @dev All in seconds. `end` E: second of a co-signed release, or the term. `covered` t0 and `available` A0 of the
    /// latest receipt. Claims count only if `claimed`; one claim is both the lower and the upper one.
    struct Facts {
        uint256 end;
        uint256 covered;
        uint256 available;
        bool claimed;
        uint256 lowerClaim;
        uint256 upperClaim;
        Silent silent;
    }

    /// @dev docs/MARKET.md has the formulas.
    function settle(Terms memory terms, Facts memory facts) internal pure returns (Settlement memory s) {
        uint256 term = SLOT_SECONDS * terms.slots;
        uint256 buyerTotal = terms.lots * terms.buyerPrice * terms.slots;

        uint256 grace = facts.claimed ? min(GRACE_SECONDS, facts.end - facts.covered) : 0;
        uint256 a = facts.claimed ? clamp(facts.lowerClaim, facts.available, grace) : facts.available;
        uint256 b = facts.claimed ? clamp(facts.upperClaim, facts.available, grace) : facts.available;
        uint256 failed = facts.covered + grace - b;
        uint256 voided = facts.end - facts.covered - grace;

        uint256 breakCost = (min(buyerTotal / 5, terms.bondShare) * voided) / term;
        uint256 buyerBreak =
            facts.silent == Silent.Neither
                ? breakCost
                : facts.silent == Silent.Buyer
                    ? 2 * breakCost
                    : 0;
        uint256 sellerBreak = 2 * breakCost - buyerBreak;

        uint256 sellerGets = (terms.lots * terms.sellerPrice * terms.slots * a) / term;
        uint256 slash = min(terms.bondShare, (terms.bondShare * failed) / term + sellerBreak);
        uint256 promised = (terms.mbps * term * ONE) / REFERENCE_MBITS;
        uint256 delivered = (promised * a) / term;
        uint256 due = Arithmetic.ceilDiv(terms.creditFee * delivered, ONE);
        uint256 fee = min(due, sellerGets + terms.bondShare - slash);

        s.end = uint32(facts.end);
        s.lower = uint32(a);
        s.upper = uint32(b);
        s.failed = uint32(failed);
        s.voided = uint32(voided);
        s.sellerGets = uint64(sellerGets);
        s.budgetPays = uint64((terms.lots * (terms.price - terms.buyerPrice) * terms.slots * a) / term);
        s.buyerPays = uint64(min(buyerTotal, Arithmetic.ceilDiv(buyerTotal * b, term) + buyerBreak));
        s.slash = uint64(slash);
        s.fee = uint64(fee);
        s.delivered = uint128(due == 0 ? delivered : (delivered * fee) / due);
        s.notDelivered = uint128(
            Arithmetic.ceilDiv(
                promised * (failed + Arithmetic.ceilDiv(b - a, 2) + Arithmetic.ceilDiv(voided, 10)),
                term
            )
        );
    }

    function clamp(uint256 claimed, uint256 available, uint256 grace) private pure returns (uint256) {
        if (claimed < available) return available;
        return min(claimed, available + grace);
    }

    function min(uint256 a, uint256 b) private pure returns (uint256) {
        return a < b ? a : b;
    }
}
