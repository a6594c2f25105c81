// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Arithmetic: integer division that rounds up
/// @notice One rule for each figure that is rounded up: what buyers pay, what fails, what the pool must hold.
library Arithmetic {
    /// @dev a / b, rounded up; a + b is below 2^256. Reverts if b is 0.
    function ceilDiv(uint256 a, uint256 b) internal pure returns (uint256) {
        unchecked {
            return (a + b - 1) / b;
        }
    }
}
