/**
 * Where outer packets go: over their underlay and nothing else. One table per underlay holds the peers' endpoints as
 * host routes through its gateway; WireGuard's mark selects it, and so does the underlay's source address, without
 * which a strict reverse-path filter drops what comes in. An endpoint that is not in the table is unreachable for
 * outer packets, by a rule instead of a default route, so that the same table can serve both selectors.
 */
import { isIPv6 } from "node:net";
import { z } from "zod";
import { canonicalAddress } from "../../model/address.ts";
import { EphemeshError } from "../../model/errors.ts";
import type { MeshdConfig } from "../../model/meshd-messages.ts";
import { commandJson } from "../kernel/commands.ts";
import { KIND_MASK, LESS_BUCKET_MASK, MARK_OUTER, outerMark, RULE } from "../kernel/marks.ts";
import { hostRouteText } from "./kernel-objects.ts";

export type Underlay = MeshdConfig["underlays"][number];

export const hex = (value: number): string => `0x${value.toString(16)}`;
export const hostPrefix = (address: string): string => `${address}/${isIPv6(address) ? 128 : 32}`;

export function outerRoute(underlay: Underlay, index: number, endpoint: string): string {
  return hostRouteText(hostPrefix(endpoint), underlay.gateway, underlay.device, outerMark(index));
}

export function outerRules(underlays: readonly Underlay[], family: 4 | 6): readonly string[] {
  const ofFamily = underlays.flatMap((underlay, index) =>
    isIPv6(underlay.address) === (family === 6) ? [{ address: underlay.address, mark: outerMark(index) }] : [],
  );
  if (ofFamily.length === 0) return [];
  return [
    ...ofFamily.map(({ address, mark }) => `pref ${RULE.fromUnderlay} from ${address} lookup ${mark}`),
    ...ofFamily.map(({ mark }) => `pref ${RULE.outer} fwmark ${hex(mark)}/${hex(LESS_BUCKET_MASK)} lookup ${mark}`),
    `pref ${RULE.outerUnreachable} fwmark ${hex(MARK_OUTER)}/${hex(KIND_MASK)} unreachable`,
  ];
}

const lookup = z.array(z.object({ dst: z.string().optional(), dev: z.string().optional() }));

/**
 * An endpoint may be used over an underlay if it is on its LAN or behind its gateway, and the standing peering does
 * not hold a better way to it than its default route.
 */
export async function checkEndpoint(
  underlay: Underlay,
  endpoint: string,
  primaryDevices: readonly string[],
): Promise<void> {
  const refuse = (reason: string): never => {
    throw new EphemeshError(
      "ENDPOINT_OVER_PRIMARY",
      `Endpoint ${endpoint} is refused on underlay ${underlay.name}: ${reason}. No interface was made.`,
      "The mesh is there to spare the standing peering: give the underlay its gateway, or agree on a fabric that both reach without the peering.",
    );
  };
  if (primaryDevices.includes(underlay.device)) refuse(`its device ${underlay.device} is named under primary`);
  if (isIPv6(endpoint) !== isIPv6(underlay.address)) refuse("the address families differ");
  // The lookup carries our mark: with an earlier route of ours in place it would find only itself.
  const [best] = await commandJson("ip", ["-j", "route", "get", "fibmatch", endpoint], lookup).catch(
    (error: unknown) => {
      if (error instanceof EphemeshError && /unreachable|No route/i.test(error.message)) return [];
      throw error;
    },
  );
  if (best?.dev === underlay.device) return;
  const isDefault = best === undefined || best.dst === "default";
  if (best?.dev !== undefined && primaryDevices.includes(best.dev) && !isDefault) {
    refuse(`its best path (${best.dst}) leaves by ${best.dev}, the standing peering`);
  }
  if (underlay.gateway === undefined) {
    refuse(
      best?.dev === undefined
        ? "no route leads there"
        : `its best path leaves by ${best.dev}, and the underlay has no gateway`,
    );
  }
}

const device = z.array(
  z.object({
    mtu: z.number(),
    addr_info: z.array(z.object({ local: z.string().optional() })),
    flags: z.array(z.string()),
  }),
);

/** MTU of the underlay's device, after checking that it is there, up, and holds the configured address. */
export async function underlayMtu(underlay: Underlay): Promise<number> {
  const args = ["-j", "address", "show", "dev", underlay.device];
  const [first] = await commandJson("ip", args, device).catch((cause: unknown) => {
    if (!(cause instanceof EphemeshError) || !/does not exist/.test(cause.message)) throw cause;
    throw new EphemeshError(
      "UNDERLAY_MISSING",
      `Underlay ${underlay.name}: device ${underlay.device} does not exist.`,
      "Correct `underlays` in the configuration, or bring the device up.",
      { cause, retryable: true },
    );
  });
  const wanted = canonicalAddress(underlay.address);
  const has = first?.addr_info.some((info) => info.local && canonicalAddress(info.local) === wanted);
  if (!first?.flags.includes("UP") || !has) {
    throw new EphemeshError(
      "UNDERLAY_DOWN",
      `Underlay ${underlay.name}: device ${underlay.device} is ${has ? "down" : `up without its address ${underlay.address}`}.`,
      "Bring the device up with the configured address; meshd never touches underlays itself.",
      { retryable: true },
    );
  }
  return first.mtu;
}
