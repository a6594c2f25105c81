// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

/// @title SettlementToken: the settlement token of tests and demo
/// @notice A consortium deploys its own.
contract SettlementToken is ERC20Permit, Ownable {
    /// @notice There are no tokens yet.
    /// @param issuer address that may mint.
    constructor(
        address issuer
    ) ERC20("Ephemesh demo credit", "EMC") ERC20Permit("Ephemesh demo credit") Ownable(issuer) {}

    /// @notice Creates tokens.
    /// @param to address that gets them.
    /// @param amount in base units.
    function mint(address to, uint256 amount) external onlyOwner {
        _mint(to, amount);
    }

    /// @inheritdoc ERC20
    function decimals() public pure override returns (uint8) {
        return 6;
    }
}
