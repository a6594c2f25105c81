// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {Receipt} from "../interfaces/ILeaseEscrow.sol";

/// @title Receipts: the typed data that both agents of a lease sign
/// @notice EIP-712, with the domain of the escrow.
library Receipts {
    bytes32 internal constant TYPEHASH = keccak256(
        "Receipt(bytes32 leaseId,uint32 epochs,uint32 available,uint64 packetsToBuyer,uint64 bytesToBuyer,uint64 packetsToSeller,uint64 bytesToSeller,uint32 worstRttMicros,uint32 worstLossPpm,bool release,bytes32 previous)"
    );

    function hash(Receipt memory receipt) internal pure returns (bytes32) {
        // A struct of static members is encoded as its members one after another.
        return keccak256(abi.encode(TYPEHASH, receipt));
    }
}
