// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {SettlementToken} from "../demo/SettlementToken.sol";
import {ILeaseEscrow} from "../interfaces/ILeaseEscrow.sol";

/// @title A token that turns against its users once it is told to
contract HostileToken is SettlementToken {
    enum Mode {
        Honest,
        TakesFee,
        Refuses,
        SaysNo,
        Lies,
        ReentersDeposit,
        ReentersWithdraw
    }

    error Refused();

    Mode public mode;
    ILeaseEscrow private target;
    uint32 private regionId;

    constructor(address issuer) SettlementToken(issuer) {}

    function turn(Mode mode_, ILeaseEscrow target_, uint32 regionId_) external onlyOwner {
        (mode, target, regionId) = (mode_, target_, regionId_);
    }

    function transfer(address to, uint256 amount) public override returns (bool) {
        return move(msg.sender, to, amount, false);
    }

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
