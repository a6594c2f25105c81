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
    Lease,
    LeaseStatus,
    PoolView,
    Receipt,
    Settlement
} from "./interfaces/ILeaseEscrow.sol";
import {IMarketEscrow} from "./interfaces/IMarketEscrow.sol";
import {IMembership, Role} from "./interfaces/IMembership.sol";
import {AuctionId, LeaseId, Price, RegionId} from "./interfaces/Types.sol";
import {Budgets} from "./libraries/Budgets.sol";
import {Leases} from "./libraries/Leases.sol";
import {Receipts} from "./libraries/Receipts.sol";
import {SettlementRule} from "./libraries/SettlementRule.sol";
import {Reputation} from "./Reputation.sol";

/// @title LeaseEscrow: accounts, leases, settlement, pool and budgets
/// @notice Holds all money; the auction contract moves it for orders, treasuries for their regions.
contract LeaseEscrow is ILeaseEscrow, IMarketEscrow, EIP712, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;
    using Budgets for Budgets.State;

    /// @dev What orders and leases move, in one storage slot. `agentLeft`: the rest of the allowance. `agentStopped`: the
    /// allowance was set to 0, and what earlier orders give back does not raise it.
    struct Balances {
        uint64 free;
        uint64 locked;
        uint64 bonded;
        uint56 agentLeft;
        bool agentStopped;
    }

    /// @dev A membership bond and when it can be withdrawn; `bondExitAt` 0: it does not exit.
    struct MembershipBond {
        uint64 membershipBond;
        uint40 bondExitAt;
    }

    uint256 private constant BOND_EXIT = 56 days;
    uint256 private constant DISPUTE_WINDOW = 24 hours;
    uint256 private constant SETTLE_DEADLINE = 7 days;

    /// @inheritdoc ILeaseEscrow
    address public immutable auction;
    /// @inheritdoc ILeaseEscrow
    address public immutable membership;
    /// @inheritdoc ILeaseEscrow
    address public immutable reputation;
    /// @inheritdoc ILeaseEscrow
    address public immutable token;
    uint256 private immutable priceUnit;
    uint256 private immutable creditFee;
    uint256 private immutable fullBond;

    mapping(RegionId regionId => Balances) private balances;
    mapping(RegionId regionId => MembershipBond) private membershipBonds;
    Budgets.State private budgets;
    /// @dev All units ever paid in less those withdrawn; at most 2^64 − 1, so that no sum overflows 64 bits.
    uint256 private ledger;
    mapping(AuctionId auctionId => bytes32 root) private leaseRoots;
    mapping(AuctionId auctionId => mapping(uint256 word => uint256)) private settledBits;
    mapping(LeaseId leaseId => Evidence) private evidence;

    modifier onlyAuction() {
        if (msg.sender != auction) revert OnlyAuction(msg.sender);
        _;
    }

    modifier onlyTreasury(RegionId regionId) {
        if (IMembership(membership).treasuryOf(regionId) != msg.sender) revert NotTreasury(regionId, msg.sender);
        _;
    }

    /// @notice Creates the reputation contract too.
    /// @param membership_ the register of regions.
    /// @param token_ the settlement token.
    /// @param auction_ address at which the auction contract will be created; that contract refuses an escrow that names
    /// another address.
    /// @param constants_ constants of the deployment.
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

    /// @inheritdoc ILeaseEscrow
    function deposit(RegionId regionId, uint64 units) public nonReentrant {
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

    /// @inheritdoc ILeaseEscrow
    function depositWithPermit(
        RegionId regionId,
        uint64 units,
        uint256 deadline,
        uint8 v,
        bytes32 r,
        bytes32 s
    ) external {
        // The permit may be used already: anyone can post it. If it is invalid, the transfer fails.
        // solhint-disable-next-line no-empty-blocks
        try IERC20Permit(token).permit(msg.sender, address(this), units * priceUnit, deadline, v, r, s) {} catch {}
        deposit(regionId, units);
    }

    /// @inheritdoc ILeaseEscrow
    function withdraw(RegionId regionId, uint64 units) external nonReentrant onlyTreasury(regionId) {
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

    /// @inheritdoc ILeaseEscrow
    function setAllowance(RegionId regionId, uint56 units) external onlyTreasury(regionId) {
        balances[regionId].agentLeft = units;
        balances[regionId].agentStopped = units == 0;
        emit AllowanceSet(regionId, units);
    }

    /// @inheritdoc ILeaseEscrow
    function postBond(RegionId regionId, uint64 units) external onlyTreasury(regionId) {
        if (units == 0) revert ZeroAmount();
        MembershipBond storage bond = membershipBonds[regionId];
        if (bond.bondExitAt != 0) revert BondExiting(regionId, bond.bondExitAt);
        spend(regionId, units);
        bond.membershipBond += units;
        emit BondPosted(regionId, units);
    }

    /// @inheritdoc ILeaseEscrow
    function startBondExit(RegionId regionId) external onlyTreasury(regionId) {
        MembershipBond storage bond = membershipBonds[regionId];
        if (bond.membershipBond == 0) revert ZeroAmount();
        if (bond.bondExitAt != 0) revert BondExiting(regionId, bond.bondExitAt);
        bond.bondExitAt = uint40(block.timestamp + BOND_EXIT);
        emit BondExitStarted(regionId, bond.membershipBond, bond.bondExitAt);
    }

    /// @inheritdoc ILeaseEscrow
    function finishBondExit(RegionId regionId) external onlyTreasury(regionId) {
        MembershipBond storage bond = membershipBonds[regionId];
        (uint64 units, uint40 exitAt) = (bond.membershipBond, bond.bondExitAt);
        if (exitAt == 0) revert BondNotExiting(regionId);
        if (block.timestamp < exitAt) revert BondHeldUntil(regionId, exitAt);
        (bond.membershipBond, bond.bondExitAt) = (0, 0);
        balances[regionId].free += units;
        emit BondWithdrawn(regionId, units);
    }

    /// @inheritdoc ILeaseEscrow
    function registerBudget(RegionId regionId) external {
        if (!IMembership(membership).isRegion(regionId)) revert UnknownRegion(regionId);
        if (!Budgets.isLastDayOfWeek(block.timestamp)) revert NotLastDayOfWeek(block.timestamp / 1 days);
        uint16 week = Budgets.weekOf(block.timestamp) + 1;
        Budgets.Share storage share = budgets.shares[week][regionId];
        if (share.registered) revert AlreadyRegistered(regionId, week);
        share.registered = true;
        share.score = Reputation(reputation).closingScore(regionId);
        budgets.byWeek[week].sumScore += share.score;
        emit BudgetRegistered(regionId, week, share.score);
    }

    // The market.

    /// @inheritdoc IMarketEscrow
    function takeDeposit(RegionId regionId, uint64 units, bool byAgent) external onlyAuction {
        budgets.startWeek();
        takeHeld(regionId, units, byAgent);
    }

    /// @inheritdoc IMarketEscrow
    function takeBond(RegionId regionId, uint64 units, bool byAgent) external onlyAuction {
        takeHeld(regionId, units, byAgent);
    }

    /// @inheritdoc IMarketEscrow
    function lockBid(
        RegionId regionId,
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

    /// @inheritdoc IMarketEscrow
    function bondAsk(RegionId regionId, uint64 bond) external onlyAuction {
        balances[regionId].bonded += bond;
    }

    /// @inheritdoc IMarketEscrow
    function closeAuction(
        AuctionId auctionId,
        RegionId opener,
        bool byAgent,
        uint64 deposit_,
        bool depositBack,
        uint64 lostBonds,
        bytes32 root
    ) external onlyAuction {
        if (root != 0) leaseRoots[auctionId] = root;
        if (depositBack) free(opener, deposit_, byAgent);
        budgets.add(depositBack ? lostBonds : uint256(lostBonds) + deposit_);
    }

    /// @inheritdoc IMarketEscrow
    function releaseBid(
        RegionId regionId,
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

    /// @inheritdoc IMarketEscrow
    function releaseAsk(RegionId regionId, uint64 units, bool byAgent) external onlyAuction {
        if (units == 0) return;
        balances[regionId].bonded -= units;
        free(regionId, units, byAgent);
    }

    // Leases.

    /// @inheritdoc ILeaseEscrow
    function settle(
        Lease memory lease,
        bytes32[] calldata proof,
        Receipt memory receipt,
        bytes calldata sellerSignature,
        bytes calldata buyerSignature
    ) external {
        LeaseId id = requireOpen(lease, proof);
        uint256 term = SettlementRule.SLOT_SECONDS * lease.slots;
        uint256 covered = requireSound(lease, id, term, receipt);
        requireSigned(lease, receipt, sellerSignature, buyerSignature);
        if (!receipt.release) requireEnded(lease, id, term);

        Evidence memory e = evidence[id];
        if (receipt.release || covered == term) {
            // Both signed up to the end: nothing is in dispute, and claims do not matter.
            finish(
                lease,
                id,
                SettlementRule.Facts(covered, covered, receipt.available, false, 0, 0, SettlementRule.Silent.Neither)
            );
            return;
        }
        bool same = receipt.epochs == e.epochs && receipt.available < e.available;
        if (e.receiptPosted && receipt.epochs <= e.epochs && !same)
            revert ReceiptNotLater(id, receipt.epochs, e.epochs);
        RegionId by = openWindow(lease, id, e);
        (e.receiptPosted, e.epochs, e.available) = (true, receipt.epochs, receipt.available);
        evidence[id] = e;
        emit ReceiptPosted(id, by, receipt, e.closesAt);
    }

    /// @inheritdoc ILeaseEscrow
    function claim(Lease memory lease, bytes32[] calldata proof, RegionId regionId, uint32 available) external {
        LeaseId id = requireOpen(lease, proof);
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

    /// @inheritdoc ILeaseEscrow
    function settleAfterWindow(Lease memory lease, bytes32[] calldata proof) external {
        LeaseId id = requireOpen(lease, proof);
        uint256 term = SettlementRule.SLOT_SECONDS * lease.slots;
        Evidence memory e = evidence[id];
        uint256 from = e.closesAt != 0 ? e.closesAt : lease.start + term + SETTLE_DEADLINE;
        if (block.timestamp < from) revert TooEarly(id, from);
        finish(lease, id, factsOf(e, term));
    }

    // Views.

    /// @inheritdoc ILeaseEscrow
    function account(RegionId regionId) external view returns (Account memory found) {
        Balances storage b = balances[regionId];
        MembershipBond storage s = membershipBonds[regionId];
        return Account(b.free, b.locked, b.bonded, s.membershipBond, b.agentLeft, s.bondExitAt);
    }

    /// @inheritdoc ILeaseEscrow
    function pool() external view returns (PoolView memory found) {
        Budgets.Pool storage p = budgets.pool;
        return PoolView(p.total, p.reserved, p.week, budgets.byWeek[p.week].start);
    }

    /// @inheritdoc ILeaseEscrow
    function budgetOf(RegionId regionId, uint16 week) external view returns (uint16 score, uint64 budget, uint64 used) {
        Budgets.Share storage share = budgets.shares[week][regionId];
        return (share.score, budgets.budgetOf(regionId, week), share.used);
    }

    /// @inheritdoc ILeaseEscrow
    function weekOf(uint256 timestamp) external pure returns (uint16 week) {
        return Budgets.weekOf(timestamp);
    }

    /// @inheritdoc ILeaseEscrow
    function leaseIdOf(AuctionId auctionId, uint16 index) external pure returns (LeaseId leaseId) {
        return Leases.idOf(auctionId, index);
    }

    /// @inheritdoc ILeaseEscrow
    function leaseRootOf(AuctionId auctionId) external view returns (bytes32 root) {
        return leaseRoots[auctionId];
    }

    /// @inheritdoc ILeaseEscrow
    function statusOf(Lease memory lease) external view returns (LeaseStatus status) {
        if (isSettled(lease.auctionId, lease.index)) return LeaseStatus.Settled;
        if (evidence[Leases.idOf(lease.auctionId, lease.index)].closesAt != 0) return LeaseStatus.Disputed;
        if (block.timestamp < lease.start) return LeaseStatus.Granted;
        uint256 end = lease.start + SettlementRule.SLOT_SECONDS * lease.slots;
        return block.timestamp < end ? LeaseStatus.Running : LeaseStatus.Ended;
    }

    /// @inheritdoc ILeaseEscrow
    function isSettled(AuctionId auctionId, uint16 index) public view returns (bool settled) {
        return (settledBits[auctionId][index >> 8] >> (index & 0xff)) & 1 == 1;
    }

    /// @inheritdoc ILeaseEscrow
    function evidenceOf(LeaseId leaseId) external view returns (Evidence memory found) {
        return evidence[leaseId];
    }

    /// @inheritdoc ILeaseEscrow
    function receiptDigest(Receipt memory receipt) public view returns (bytes32 digest) {
        return _hashTypedDataV4(Receipts.hash(receipt));
    }

    /// @inheritdoc ILeaseEscrow
    function constants() external view returns (EscrowConstants memory values) {
        return EscrowConstants(uint64(priceUnit), uint64(creditFee), uint64(fullBond));
    }

    // Money.

    function spend(RegionId regionId, uint64 units) private {
        uint64 available = balances[regionId].free;
        if (units > available) revert BalanceShort(regionId, units, available);
        balances[regionId].free = available - units;
    }

    function takeHeld(RegionId regionId, uint64 units, bool byAgent) private {
        Balances storage b = balances[regionId];
        uint64 available = b.free;
        if (units > available) revert BalanceShort(regionId, units, available);
        if (byAgent) takeAllowance(regionId, b, units);
        b.free = available - units;
    }

    function free(RegionId regionId, uint64 units, bool byAgent) private {
        Balances storage b = balances[regionId];
        if (byAgent) giveAllowance(b, units);
        b.free += units;
    }

    function takeAllowance(RegionId regionId, Balances storage b, uint256 units) private {
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

    function requireOpen(Lease memory lease, bytes32[] calldata proof) private view returns (LeaseId id) {
        (bytes32 leaf, bool fits) = Leases.leafOf(lease);
        bytes32 root = leaseRoots[lease.auctionId];
        if (!fits || root == 0 || !MerkleProof.verifyCalldata(proof, root, leaf))
            revert LeaseNotUnderRoot(lease.auctionId, lease.index);
        id = Leases.idOf(lease.auctionId, lease.index);
        if (isSettled(lease.auctionId, lease.index)) revert AlreadySettled(id);
    }

    function requireEnded(Lease memory lease, LeaseId id, uint256 term) private view {
        if (block.timestamp < lease.start + term) revert TooEarly(id, lease.start + term);
    }

    /// @dev The seconds of the lease that the receipt covers.
    function requireSound(
        Lease memory lease,
        LeaseId id,
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

    function requireSigner(RegionId regionId, address signer, uint40 since) private view {
        if (!IMembership(membership).signedFor(regionId, signer, since)) revert WrongSigner(regionId, signer);
    }

    /// @dev The party that posts, 0 for another address.
    function openWindow(Lease memory lease, LeaseId id, Evidence memory e) private view returns (RegionId by) {
        if (e.closesAt == 0) e.closesAt = uint40(block.timestamp + DISPUTE_WINDOW);
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

    function finish(Lease memory lease, LeaseId id, SettlementRule.Facts memory facts) private {
        settledBits[lease.auctionId][lease.index >> 8] |= 1 << (lease.index & 0xff);
        delete evidence[id];

        bool creditSuspended = block.timestamp < Reputation(reputation).creditSuspendedUntil(lease.seller, lease.buyer);
        SettlementRule.Terms memory terms = SettlementRule.Terms({
            lots: lease.lots,
            mbps: uint256(lease.lots) * lease.lotMbps,
            slots: lease.slots,
            buyerPrice: Price.unwrap(lease.buyerPrice),
            sellerPrice: Price.unwrap(lease.sellerPrice),
            price: Price.unwrap(lease.price),
            bondShare: lease.bondShare,
            creditFee: creditSuspended ? 0 : creditFee
        });
        Settlement memory s = SettlementRule.settle(terms, facts);
        if (creditSuspended) (s.delivered, s.notDelivered) = (0, 0);
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
        (uint256 price, uint256 buyerPrice) = (Price.unwrap(lease.price), Price.unwrap(lease.buyerPrice));
        uint64 buyerTotal = uint64(lease.lots * buyerPrice * lease.slots);
        uint256 budgetTotal = lease.lots * (price - buyerPrice) * lease.slots;
        balances[lease.buyer].locked -= buyerTotal;
        free(lease.buyer, buyerTotal - s.buyerPays, lease.buyerByAgent);
        balances[lease.seller].bonded -= lease.bondShare;
        free(lease.seller, lease.bondShare - s.slash, lease.sellerByAgent);
        // The seller pays the fee from its pay and from the bond that is freed.
        Balances storage seller = balances[lease.seller];
        seller.free = uint64(uint256(seller.free) + s.sellerGets - s.fee);
        budgets.settle(budgetTotal, uint256(s.buyerPays) + s.slash + s.fee, s.sellerGets);
    }

    function weightOf(RegionId regionId) private view returns (uint64) {
        MembershipBond storage bond = membershipBonds[regionId];
        return bond.bondExitAt == 0 ? bond.membershipBond : 0;
    }
}
