// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {
    Account,
    EscrowConstants,
    Evidence,
    ILeaseEscrow,
    IMarketEscrow,
    Lease,
    LeaseStatus,
    PoolView,
    Receipt,
    Settlement
} from "./interfaces/ILeaseEscrow.sol";
import {IMembership, Role} from "./interfaces/IMembership.sol";
import {Budgets} from "./libraries/Budgets.sol";
import {Leases} from "./libraries/Leases.sol";
import {Receipts} from "./libraries/Receipts.sol";
import {SettlementRule} from "./libraries/SettlementRule.sol";
import {Reputation} from "./Reputation.sol";

contract LeaseEscrow is ILeaseEscrow, IMarketEscrow, EIP712, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;
    using Budgets for Budgets.State;

    /// @dev What the market moves, in one slot. `agentLeft` of the allowance; `agentStopped`: the allowance was set to 0,
    /// and what earlier orders give back does not raise it.
    struct Balances {
        uint64 free;
        uint64 locked;
        uint64 bonded;
        uint56 agentLeft;
        bool agentStopped;
    }

    struct MembershipBond {
        uint64 membershipBond;
        uint40 bondExitAt;
    }

    uint256 private constant BOND_EXIT = 56 days;
    uint256 private constant WINDOW = 24 hours;
    uint256 private constant ABANDONED = 7 days;

    address public immutable auction;
    address public immutable membership;
    address public immutable reputation;
    address public immutable token;
    uint256 private immutable priceUnit;
    uint256 private immutable creditFee;
    uint256 private immutable fullBond;

    mapping(uint32 regionId => Balances) private balances;
    mapping(uint32 regionId => MembershipBond) private membershipBonds;
    Budgets.State private budgets;
    /// @dev All units ever paid in less those withdrawn: keeps every sum inside 64 bits.
    uint256 private ledger;
    mapping(uint32 auctionId => bytes32) private roots;
    mapping(uint32 auctionId => mapping(uint256 word => uint256)) private settledBits;
    mapping(bytes32 leaseId => Evidence) private evidence;

    modifier onlyAuction() {
        if (msg.sender != auction) revert OnlyAuction(msg.sender);
        _;
    }

    modifier onlyTreasury(uint32 regionId) {
        if (IMembership(membership).treasuryOf(regionId) != msg.sender) revert NotTreasury(regionId, msg.sender);
        _;
    }

    /// @param auction_ address at which the auction will be: it refuses to be made with an escrow that names another.
    constructor(
        address membership_,
        address token_,
        address auction_,
        EscrowConstants memory constants_
    ) EIP712("Ephemesh", "1") {
        if (token_.code.length == 0) revert TokenWithoutCode(token_);
        if (constants_.priceUnit == 0 || constants_.priceUnit >= 2 ** 40 || constants_.creditFee == 0)
            revert ZeroAmount();
        if (constants_.fullBond == 0) revert ZeroAmount();
        auction = auction_;
        membership = membership_;
        token = token_;
        priceUnit = constants_.priceUnit;
        creditFee = constants_.creditFee;
        fullBond = constants_.fullBond;
        reputation = address(new Reputation(constants_.fullBond));
    }

    // Accounts.

    function deposit(uint32 regionId, uint64 units) public nonReentrant {
        if (units == 0) revert ZeroAmount();
        if (!IMembership(membership).isRegion(regionId)) revert UnknownRegion(regionId);
        if (ledger + units > type(uint64).max) revert LedgerFull(ledger, units);
        ledger += units;
        balances[regionId].free += units;
        emit Deposited(regionId, msg.sender, units);

        uint256 amount = units * priceUnit;
        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = IERC20(token).balanceOf(address(this)) - before;
        if (received != amount) revert TokenAmountWrong(amount, received);
    }

    function depositWithPermit(
        uint32 regionId,
        uint64 units,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        // A permit that somebody else has already posted has done its work: the transfer tells.
        try IERC20Permit(token).permit(msg.sender, address(this), units * priceUnit, deadline, v, r, s) {} catch {}
        deposit(regionId, units);
    }

    function withdraw(uint32 regionId, uint64 units) external nonReentrant onlyTreasury(regionId) {
        if (units == 0) revert ZeroAmount();
        spend(regionId, units);
        ledger -= units;
        emit Withdrawn(regionId, msg.sender, units);

        uint256 amount = units * priceUnit;
        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransfer(msg.sender, amount);
        uint256 sent = before - IERC20(token).balanceOf(address(this));
        if (sent != amount) revert TokenAmountWrong(amount, sent);
    }

    function setAllowance(uint32 regionId, uint56 units) external onlyTreasury(regionId) {
        balances[regionId].agentLeft = units;
        balances[regionId].agentStopped = units == 0;
        emit AllowanceSet(regionId, units);
    }

    function postBond(uint32 regionId, uint64 units) external onlyTreasury(regionId) {
        if (units == 0) revert ZeroAmount();
        MembershipBond storage bond = membershipBonds[regionId];
        if (bond.bondExitAt != 0) revert BondExiting(regionId, bond.bondExitAt);
        spend(regionId, units);
        bond.membershipBond += units;
        emit BondPosted(regionId, units);
    }

    function startBondExit(uint32 regionId) external onlyTreasury(regionId) {
        MembershipBond storage bond = membershipBonds[regionId];
        if (bond.membershipBond == 0) revert ZeroAmount();
        if (bond.bondExitAt != 0) revert BondExiting(regionId, bond.bondExitAt);
        bond.bondExitAt = uint40(block.timestamp + BOND_EXIT);
        emit BondExitStarted(regionId, bond.membershipBond, bond.bondExitAt);
    }

    function finishBondExit(uint32 regionId) external onlyTreasury(regionId) {
        MembershipBond storage bond = membershipBonds[regionId];
        (uint64 units, uint40 exitAt) = (bond.membershipBond, bond.bondExitAt);
        if (exitAt == 0) revert BondNotExiting(regionId);
        if (block.timestamp < exitAt) revert BondHeldUntil(regionId, exitAt);
        (bond.membershipBond, bond.bondExitAt) = (0, 0);
        balances[regionId].free += units;
        emit BondWithdrawn(regionId, units);
    }

    function registerBudget(uint32 regionId) external {
        if (!IMembership(membership).isRegion(regionId)) revert UnknownRegion(regionId);
        if (!Budgets.isLastDayOfWeek(block.timestamp)) revert NotLastDayOfWeek(block.timestamp / 1 days);
        uint16 week = Budgets.weekOf(block.timestamp) + 1;
        Budgets.Part storage part = budgets.parts[week][regionId];
        if (part.registered) revert AlreadyRegistered(regionId, week);
        part.registered = true;
        part.score = Reputation(reputation).closingScore(regionId);
        budgets.byWeek[week].sumScore += part.score;
        emit BudgetRegistered(regionId, week, part.score);
    }

    // The market.

    function takeDeposit(uint32 regionId, uint64 units, bool byAgent) external onlyAuction {
        budgets.touch();
        takeHeld(regionId, units, byAgent);
    }

    function takeBond(uint32 regionId, uint64 units, bool byAgent) external onlyAuction {
        takeHeld(regionId, units, byAgent);
    }

    function lockBid(
        uint32 regionId,
        uint64 bond,
        uint256 amount,
        bool byAgent,
        uint16 week,
        uint256 need
    ) external onlyAuction returns (bool covered) {
        Balances storage b = balances[regionId];
        uint256 available = uint256(b.free) + bond;
        if (amount > available) revert BalanceShort(regionId, amount, available);
        if (byAgent) {
            giveAllowance(b, bond);
            takeAllowance(regionId, b, amount);
        }
        b.free = uint64(available - amount);
        b.locked += uint64(amount);
        return need != 0 && budgets.reserve(regionId, week, need);
    }

    function bondAsk(uint32 regionId, uint64 bond) external onlyAuction {
        balances[regionId].bonded += bond;
    }

    function closeAuction(
        uint32 auctionId,
        uint32 opener,
        bool byAgent,
        uint64 deposit_,
        bool depositBack,
        uint64 lostBonds,
        bytes32 root
    ) external onlyAuction {
        if (root != 0) roots[auctionId] = root;
        if (depositBack) free(opener, deposit_, byAgent);
        budgets.add(depositBack ? lostBonds : uint256(lostBonds) + deposit_);
    }

    function releaseBid(
        uint32 regionId,
        uint64 units,
        bool byAgent,
        uint16 week,
        uint64 budgetBack
    ) external onlyAuction {
        if (units != 0) {
            balances[regionId].locked -= units;
            free(regionId, units, byAgent);
        }
        if (budgetBack != 0) budgets.giveBack(regionId, week, budgetBack);
    }

    function releaseAsk(uint32 regionId, uint64 units, bool byAgent) external onlyAuction {
        if (units == 0) return;
        balances[regionId].bonded -= units;
        free(regionId, units, byAgent);
    }

    // Leases.

    function settle(
        Lease memory lease,
        bytes32[] calldata proof,
        Receipt memory receipt,
        bytes calldata sellerSignature,
        bytes calldata buyerSignature
    ) external {
        bytes32 id = requireOpen(lease, proof);
        uint256 term = SettlementRule.SLOT_SECONDS * lease.slots;
        uint256 covered = requireSound(lease, id, term, receipt);
        requireSigned(lease, receipt, sellerSignature, buyerSignature);
        if (!receipt.release) requireEnded(lease, id, term);

        Evidence memory e = evidence[id];
        if (receipt.release || covered == term) {
            // Both signed where it ended: nothing is in dispute, whatever was claimed.
            finish(
                lease,
                id,
                SettlementRule.Facts(covered, covered, receipt.available, false, 0, 0, SettlementRule.Silent.Nobody)
            );
            return;
        }
        bool same = receipt.epochs == e.epochs && receipt.available < e.available;
        if (e.receiptPosted && receipt.epochs <= e.epochs && !same)
            revert ReceiptNotLater(id, receipt.epochs, e.epochs);
        uint32 by = openWindow(lease, id, e);
        (e.receiptPosted, e.epochs, e.available) = (true, receipt.epochs, receipt.available);
        evidence[id] = e;
        emit ReceiptPosted(id, by, receipt, e.closesAt);
    }

    function claim(Lease memory lease, bytes32[] calldata proof, uint32 regionId, uint32 available) external {
        bytes32 id = requireOpen(lease, proof);
        uint256 term = SettlementRule.SLOT_SECONDS * lease.slots;
        requireEnded(lease, id, term);
        bool seller = regionId == lease.seller;
        if (!seller && regionId != lease.buyer) revert NotAParty(id, regionId);
        if (IMembership(membership).roleOf(regionId, msg.sender) == Role.None)
            revert NotAuthorised(regionId, msg.sender);
        if (available > term) revert ReceiptOutOfRange("available", available, term);

        Evidence memory e = evidence[id];
        if (seller ? e.sellerClaimed : e.buyerClaimed) revert AlreadyClaimed(id, regionId);
        openWindow(lease, id, e);
        if (seller) (e.sellerClaimed, e.sellerPosted, e.sellerClaim) = (true, true, available);
        else (e.buyerClaimed, e.buyerPosted, e.buyerClaim) = (true, true, available);
        evidence[id] = e;
        emit ClaimPosted(id, regionId, available, e.closesAt);
        if (e.sellerClaimed && e.buyerClaimed) finish(lease, id, factsOf(e, term));
    }

    function settleAfterWindow(Lease memory lease, bytes32[] calldata proof) external {
        bytes32 id = requireOpen(lease, proof);
        uint256 term = SettlementRule.SLOT_SECONDS * lease.slots;
        Evidence memory e = evidence[id];
        uint256 from = e.closesAt != 0 ? e.closesAt : lease.start + term + ABANDONED;
        if (block.timestamp < from) revert TooEarly(id, from);
        finish(lease, id, factsOf(e, term));
    }

    // Views.

    function account(uint32 regionId) external view returns (Account memory) {
        Balances storage b = balances[regionId];
        MembershipBond storage s = membershipBonds[regionId];
        return Account(b.free, b.locked, b.bonded, s.membershipBond, b.agentLeft, s.bondExitAt);
    }

    function pool() external view returns (PoolView memory) {
        Budgets.Pool storage p = budgets.pool;
        return PoolView(p.total, p.reserved, p.week, budgets.byWeek[p.week].start);
    }

    function budgetOf(uint32 regionId, uint16 week) external view returns (uint16 score, uint64 budget, uint64 used) {
        Budgets.Part storage part = budgets.parts[week][regionId];
        return (part.score, budgets.budgetOf(regionId, week), part.used);
    }

    function weekOf(uint256 timestamp) external pure returns (uint16) {
        return Budgets.weekOf(timestamp);
    }

    function leaseIdOf(uint32 auctionId, uint16 index) external pure returns (bytes32) {
        return Leases.idOf(auctionId, index);
    }

    function leaseRootOf(uint32 auctionId) external view returns (bytes32) {
        return roots[auctionId];
    }

    function statusOf(Lease memory lease) external view returns (LeaseStatus) {
        if (isSettled(lease.auctionId, lease.index)) return LeaseStatus.Settled;
        if (evidence[Leases.idOf(lease.auctionId, lease.index)].closesAt != 0) return LeaseStatus.Disputed;
        if (block.timestamp < lease.start) return LeaseStatus.Granted;
        uint256 end = lease.start + SettlementRule.SLOT_SECONDS * lease.slots;
        return block.timestamp < end ? LeaseStatus.Running : LeaseStatus.Ended;
    }

    function isSettled(uint32 auctionId, uint16 index) public view returns (bool) {
        return (settledBits[auctionId][index >> 8] >> (index & 0xff)) & 1 == 1;
    }

    function evidenceOf(bytes32 leaseId) external view returns (Evidence memory) {
        return evidence[leaseId];
    }

    function receiptDigest(Receipt memory receipt) public view returns (bytes32) {
        return _hashTypedDataV4(Receipts.hash(receipt));
    }

    function constants() external view returns (EscrowConstants memory) {
        return EscrowConstants(uint64(priceUnit), uint64(creditFee), uint64(fullBond));
    }

    // Money.

    function spend(uint32 regionId, uint64 units) private {
        uint64 available = balances[regionId].free;
        if (units > available) revert BalanceShort(regionId, units, available);
        balances[regionId].free = available - units;
    }

    function takeHeld(uint32 regionId, uint64 units, bool byAgent) private {
        Balances storage b = balances[regionId];
        uint64 available = b.free;
        if (units > available) revert BalanceShort(regionId, units, available);
        if (byAgent) takeAllowance(regionId, b, units);
        b.free = available - units;
    }

    function free(uint32 regionId, uint64 units, bool byAgent) private {
        Balances storage b = balances[regionId];
        if (byAgent) giveAllowance(b, units);
        b.free += units;
    }

    function takeAllowance(uint32 regionId, Balances storage b, uint256 units) private {
        uint56 left = b.agentLeft;
        if (units > left) revert AllowanceShort(regionId, units, left);
        b.agentLeft = uint56(left - units);
    }

    function giveAllowance(Balances storage b, uint256 units) private {
        if (b.agentStopped) return;
        uint256 left = b.agentLeft + units;
        b.agentLeft = left < type(uint56).max ? uint56(left) : type(uint56).max;
    }

    // Settling.

    function requireOpen(Lease memory lease, bytes32[] calldata proof) private view returns (bytes32 id) {
        (bytes32 leaf, bool fits) = Leases.leafOf(lease);
        bytes32 root = roots[lease.auctionId];
        if (!fits || root == 0 || !MerkleProof.verifyCalldata(proof, root, leaf))
            revert LeaseNotUnderRoot(lease.auctionId, lease.index);
        id = Leases.idOf(lease.auctionId, lease.index);
        if (isSettled(lease.auctionId, lease.index)) revert AlreadySettled(id);
    }

    function requireEnded(Lease memory lease, bytes32 id, uint256 term) private view {
        if (block.timestamp < lease.start + term) revert TooEarly(id, lease.start + term);
    }

    /// @return covered seconds of the lease that the receipt speaks for.
    function requireSound(
        Lease memory lease,
        bytes32 id,
        uint256 term,
        Receipt memory receipt
    ) private view returns (uint256 covered) {
        if (receipt.leaseId != id) revert ReceiptOfOtherLease(id, receipt.leaseId);
        covered = receipt.epochs * SettlementRule.EPOCH_SECONDS;
        if (covered > term) revert ReceiptOutOfRange("epochs", receipt.epochs, term / SettlementRule.EPOCH_SECONDS);
        if (receipt.available > covered) revert ReceiptOutOfRange("available", receipt.available, covered);
        uint256 elapsed = block.timestamp > lease.start ? block.timestamp - lease.start : 0;
        // The last epoch of a release may still be running when both have signed it.
        if (covered > elapsed + SettlementRule.EPOCH_SECONDS) revert ReceiptFromFuture(id, receipt.epochs, elapsed);
    }

    function requireSigned(
        Lease memory lease,
        Receipt memory receipt,
        bytes calldata sellerSignature,
        bytes calldata buyerSignature
    ) private view {
        bytes32 digest = receiptDigest(receipt);
        requireSigner(lease.seller, ECDSA.recoverCalldata(digest, sellerSignature), lease.start);
        requireSigner(lease.buyer, ECDSA.recoverCalldata(digest, buyerSignature), lease.start);
    }

    function requireSigner(uint32 regionId, address signer, uint40 since) private view {
        if (!IMembership(membership).signedFor(regionId, signer, since)) revert WrongSigner(regionId, signer);
    }

    /// @return by the party that posts, 0 for anyone else.
    function openWindow(Lease memory lease, bytes32 id, Evidence memory e) private view returns (uint32 by) {
        if (e.closesAt == 0) e.closesAt = uint40(block.timestamp + WINDOW);
        else if (block.timestamp >= e.closesAt) revert WindowClosed(id, e.closesAt);
        if (IMembership(membership).roleOf(lease.seller, msg.sender) != Role.None)
            (e.sellerPosted, by) = (true, lease.seller);
        else if (IMembership(membership).roleOf(lease.buyer, msg.sender) != Role.None)
            (e.buyerPosted, by) = (true, lease.buyer);
    }

    function factsOf(Evidence memory e, uint256 term) private pure returns (SettlementRule.Facts memory facts) {
        facts.end = term;
        facts.covered = e.epochs * SettlementRule.EPOCH_SECONDS;
        facts.available = e.available;
        facts.claimed = e.sellerClaimed || e.buyerClaimed;
        uint32 one = e.sellerClaimed ? e.sellerClaim : e.buyerClaim;
        uint32 other = e.buyerClaimed ? e.buyerClaim : e.sellerClaim;
        (facts.lowerClaim, facts.upperClaim) = one < other ? (one, other) : (other, one);
        if (e.sellerPosted && !e.buyerPosted) facts.silent = SettlementRule.Silent.Buyer;
        if (e.buyerPosted && !e.sellerPosted) facts.silent = SettlementRule.Silent.Seller;
    }

    function finish(Lease memory lease, bytes32 id, SettlementRule.Facts memory facts) private {
        settledBits[lease.auctionId][lease.index >> 8] |= 1 << (lease.index & 0xff);
        delete evidence[id];

        bool blocked = block.timestamp < Reputation(reputation).creditSuspendedUntil(lease.seller, lease.buyer);
        SettlementRule.Terms memory terms = SettlementRule.Terms({
            lots: lease.lots,
            mbps: uint256(lease.lots) * lease.lotMbps,
            slots: lease.slots,
            buyerPrice: lease.buyerPrice,
            sellerPrice: lease.sellerPrice,
            price: lease.price,
            share: lease.bondShare,
            creditFee: blocked ? 0 : creditFee
        });
        Settlement memory s = SettlementRule.settle(terms, facts);
        if (blocked) (s.delivered, s.notDelivered) = (0, 0);
        move(lease, s);
        emit LeaseSettled(id, lease.seller, lease.buyer, lease, s);
        Reputation(reputation).record(
            lease.seller,
            lease.buyer,
            id,
            s.delivered,
            s.notDelivered,
            weightOf(lease.buyer),
            uint32((lease.start + s.end) / 1 days),
            20 * (s.voided + s.upper - s.lower) > SettlementRule.SLOT_SECONDS * lease.slots
        );
    }

    function move(Lease memory lease, Settlement memory s) private {
        uint64 buyerTotal = uint64(uint256(lease.lots) * lease.buyerPrice * lease.slots);
        uint256 budgetTotal = uint256(lease.lots) * (lease.price - lease.buyerPrice) * lease.slots;
        balances[lease.buyer].locked -= buyerTotal;
        free(lease.buyer, buyerTotal - s.buyerPays, lease.buyerByAgent);
        balances[lease.seller].bonded -= lease.bondShare;
        free(lease.seller, lease.bondShare - s.slash, lease.sellerByAgent);
        // The fee is taken from what the lease leaves with the seller, pay and bond together.
        Balances storage seller = balances[lease.seller];
        seller.free = uint64(uint256(seller.free) + s.sellerGets - s.fee);
        budgets.settle(budgetTotal, uint256(s.buyerPays) + s.slash + s.fee, s.sellerGets);
    }

    function weightOf(uint32 regionId) private view returns (uint64) {
        MembershipBond storage bond = membershipBonds[regionId];
        return bond.bondExitAt == 0 ? bond.membershipBond : 0;
    }
}
