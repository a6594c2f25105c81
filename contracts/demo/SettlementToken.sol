// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

/// @title The settlement token of tests and demo; a consortium brings its own
contract SettlementToken is ERC20Permit, Ownable {
    constructor(
        address issuer
    ) ERC20("Ephemesh demo credit", "EMC") ERC20Permit("Ephemesh demo credit") Ownable(issuer) {}

    function mint(address to, uint256 amount) external onlyOwner {
        _mint(to, amount);
    }

    function decimals() public pure override returns (uint8) {
        return 6;
    }
}
