// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {SettlementToken} from "../demo/SettlementToken.sol";
import {ILeaseEscrow} from "../interfaces/ILeaseEscrow.sol";
import {RegionId} from "../interfaces/Types.sol";

/// @title HostileToken: a settlement token that misbehaves as it is told to
/// @notice For tests only.
contract HostileToken is SettlementToken {
    /// @dev How transfers misbehave.
    enum Mode {
        Honest,
        TakesFee,
        Refuses,
        SaysNo,
        Lies,
        ReentersDeposit,
        ReentersWithdraw
    }

    /// @notice The token refuses every transfer.
    error Refused();

    /// @notice How transfers misbehave now.
    Mode public mode;
    ILeaseEscrow private target;
    RegionId private regionId;

    /// @notice Behaves as a token should, until `turn`.
    /// @param issuer address that may mint and choose the mode.
    constructor(address issuer) SettlementToken(issuer) {}

    /// @notice Chooses how transfers misbehave from now on.
    /// @param mode_ the mode.
    /// @param target_ escrow that a transfer re-enters.
    /// @param regionId_ region whose treasury this token pretends to be.
    function turn(Mode mode_, ILeaseEscrow target_, RegionId regionId_) external onlyOwner {
        (mode, target, regionId) = (mode_, target_, regionId_);
    }

    /// @inheritdoc ERC20
    function transfer(address to, uint256 amount) public override returns (bool) {
        return move(msg.sender, to, amount, false);
    }

    /// @inheritdoc ERC20
    function transferFrom(address from, address to, uint256 amount) public override returns (bool) {
        return move(from, to, amount, true);
    }

    function move(address from, address to, uint256 amount, bool allowed) private returns (bool) {
        if (mode == Mode.Refuses) revert Refused();
        if (mode == Mode.SaysNo) return false;
        if (mode == Mode.Lies) return true;
        if (mode == Mode.ReentersDeposit) target.deposit(regionId, 1);
        if (mode == Mode.ReentersWithdraw) target.withdraw(regionId, 1);
        if (allowed) _spendAllowance(from, msg.sender, amount);
        _transfer(from, to, mode == Mode.TakesFee ? amount - amount / 100 : amount);
        return true;
    }
}
