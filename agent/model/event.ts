/** What can trigger a mesh; the order is that of the contracts' enum. */
export const EVENT_KINDS = ["disaster", "rollout", "surge", "custom"] as const;
export type EventKind = (typeof EVENT_KINDS)[number];
