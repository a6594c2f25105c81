/** Kinds of events that trigger a mesh, in the order of the contracts' enum. */
export const EVENT_KINDS = ["disaster", "rollout", "surge", "custom"] as const;
export type EventKind = (typeof EVENT_KINDS)[number];
