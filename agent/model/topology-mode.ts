/** Which links a mesh has besides those of its leases; `auto` leaves the choice to the measurements. */
export const TOPOLOGY_MODES = ["star", "ring", "full"] as const;
export type TopologyMode = (typeof TOPOLOGY_MODES)[number];

export const REQUESTED_TOPOLOGIES = ["auto", ...TOPOLOGY_MODES] as const;
export type RequestedTopology = (typeof REQUESTED_TOPOLOGIES)[number];
