// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

import {RegionId} from "../interfaces/Types.sol";

/// @title Intervals: disjoint prefixes of the 128-bit address space, each with a holder
/// @notice Two prefixes overlap exactly if one contains the other. So a prefix overlaps with none if no held prefix
/// contains it (at most one look-up for each length in use) and no held prefix is inside it (the next one in order
/// begins after its end). They are a list in the order of addresses, with the first address as the key.
library Intervals {
    /// @dev A held prefix and the first address of the next one; `holder` 0: no prefix.
    struct Node {
        uint128 next;
        RegionId holder;
        uint8 length;
    }

    /// @dev `nodes` by first address; `nodes[0]` is the head of the list, so that ::/n cannot be held. Bit n of
    /// `lengths`: a prefix of length n was added.
    struct Set {
        mapping(uint128 network => Node) nodes;
        uint256 lengths;
    }

    /// @notice The prefix contains a held prefix, or is inside one.
    /// @param network first address of the prefix.
    /// @param length its length.
    /// @param heldNetwork first address of the held prefix.
    /// @param heldLength its length.
    /// @param holder region that holds it.
    error Overlap(uint128 network, uint8 length, uint128 heldNetwork, uint8 heldLength, RegionId holder);

    /// @notice The prefix has a length outside 1 to 128, the network 0, or bits set after its length.
    /// @param network first address of the prefix.
    /// @param length its length.
    error NotCanonical(uint128 network, uint8 length);

    /// @notice The region does not hold the prefix.
    /// @param network first address of the prefix.
    /// @param length its length.
    error NotHeld(uint128 network, uint8 length);

    function add(Set storage set, uint128 network, uint8 length, RegionId holder) internal {
        if (length == 0 || length > 128 || network == 0 || network != first(network, length))
            revert NotCanonical(network, length);
        (uint128 containing, Node memory node) = find(set, network);
        if (!node.holder.isNoRegion()) revert Overlap(network, length, containing, node.length, node.holder);
        uint128 before = predecessor(set, network);
        uint128 next = set.nodes[before].next;
        if (next != 0 && next <= last(network, length))
            revert Overlap(network, length, next, set.nodes[next].length, set.nodes[next].holder);
        set.nodes[network] = Node(next, holder, length);
        set.nodes[before].next = network;
        set.lengths |= 1 << length;
    }

    function remove(Set storage set, uint128 network, uint8 length, RegionId holder) internal {
        Node memory node = set.nodes[network];
        // Without this check an empty node would count as a prefix of length 0, and removing it would cut the list.
        if (network == 0 || holder.isNoRegion() || node.holder != holder || node.length != length)
            revert NotHeld(network, length);
        set.nodes[predecessor(set, network)].next = node.next;
        delete set.nodes[network];
    }

    /// @dev The prefix that contains `ip`, with its node; `holder` 0: there is none.
    function find(Set storage set, uint128 ip) internal view returns (uint128 network, Node memory node) {
        uint256 lengths = set.lengths;
        for (uint8 length = 128; length > 0; --length) {
            if ((lengths >> length) & 1 == 0) continue;
            network = first(ip, length);
            node = set.nodes[network];
            if (network != 0 && !node.holder.isNoRegion() && node.length == length) return (network, node);
        }
        return (0, Node(0, RegionId.wrap(0), 0));
    }

    /// @dev Walks from the head, one storage read for each prefix: only the consortium calls this.
    function predecessor(Set storage set, uint128 network) private view returns (uint128 before) {
        for (uint128 next = set.nodes[0].next; next != 0 && next < network; next = set.nodes[before].next)
            before = next;
    }

    function first(uint128 ip, uint8 length) internal pure returns (uint128) {
        return (ip >> (128 - length)) << (128 - length);
    }

    function last(uint128 network, uint8 length) internal pure returns (uint128) {
        return length == 128 ? network : network | (type(uint128).max >> length);
    }
}
