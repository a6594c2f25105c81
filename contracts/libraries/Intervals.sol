// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.30;

/// @title Intervals: disjoint prefixes of one space of 128 bits, each with a holder
/// @notice Two prefixes overlap exactly if one contains the other. So a prefix is free if no prefix that is held
/// contains it (at most one look-up a length in use) and none that is held lies inside it (the next one in order
/// begins after its end). Kept as a list in the order of addresses; the first address is the key.
library Intervals {
    struct Node {
        uint128 next;
        uint32 holder;
        uint8 length;
    }

    /// @param nodes by first address; `nodes[0]` is the head, so that ::/n cannot be held.
    /// @param lengths bit n: some prefix of length n was added.
    struct Set {
        mapping(uint128 network => Node) nodes;
        uint256 lengths;
    }

    error Overlap(uint128 network, uint8 length, uint128 heldNetwork, uint8 heldLength, uint32 holder);
    error NotCanonical(uint128 network, uint8 length);
    error NotHeld(uint128 network, uint8 length);

    function add(Set storage set, uint128 network, uint8 length, uint32 holder) internal {
        if (length == 0 || length > 128 || network == 0 || network != first(network, length))
            revert NotCanonical(network, length);
        (uint128 containing, Node memory node) = find(set, network);
        if (node.holder != 0) revert Overlap(network, length, containing, node.length, node.holder);
        uint128 before = predecessor(set, network);
        uint128 next = set.nodes[before].next;
        if (next != 0 && next <= last(network, length))
            revert Overlap(network, length, next, set.nodes[next].length, set.nodes[next].holder);
        set.nodes[network] = Node(next, holder, length);
        set.nodes[before].next = network;
        set.lengths |= 1 << length;
    }

    function remove(Set storage set, uint128 network, uint8 length, uint32 holder) internal {
        Node memory node = set.nodes[network];
        // A holder of 0 is nobody's: an empty node would pass for one of length 0, and cut the list.
        if (network == 0 || holder == 0 || node.holder != holder || node.length != length)
            revert NotHeld(network, length);
        set.nodes[predecessor(set, network)].next = node.next;
        delete set.nodes[network];
    }

    /// @return network of the prefix that contains `ip`, with its node; a holder of 0 says that there is none.
    function find(Set storage set, uint128 ip) internal view returns (uint128 network, Node memory node) {
        uint256 lengths = set.lengths;
        for (uint8 length = 128; length > 0; --length) {
            if ((lengths >> length) & 1 == 0) continue;
            network = first(ip, length);
            node = set.nodes[network];
            if (network != 0 && node.holder != 0 && node.length == length) return (network, node);
        }
        return (0, Node(0, 0, 0));
    }

    /// @dev Walks from the head; the consortium's own call, one storage read a prefix on record.
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
