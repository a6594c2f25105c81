/**
 * Routes of outer packets, which must use their underlay only. One table per underlay holds host routes to the peers'
 * endpoints via its gateway. WireGuard's mark selects it, and so does the underlay's source address, without which a
 * strict reverse-path filter drops incoming packets. Outer packets to any other address are unreachable by a rule, not by
 * a default route in the table: other packets from the underlay's address use `main` then.
 */
import { z } from "zod";
import { canonicalAddress, isIpv6, isSameFamily } from "../../model/address.ts";
import { EphemeshError } from "../../model/errors.ts";
import type { MeshdConfig } from "../../model/meshd-messages.ts";
import { commandJson } from "../kernel/commands.ts";
import { KIND_MASK, LESS_BUCKET_MASK, MARK_OUTER, outerMark, RULE } from "../kernel/marks.ts";
import { hostRouteText } from "./kernel-objects.ts";

export type Underlay = MeshdConfig["underlays"][number];

/** As nftables and ip print marks. */
export const hex = (value: number): string => `0x${value.toString(16)}`;
/** The prefix that contains only this address. */
export const hostPrefix = (address: string): string => `${address}/${isIpv6(address) ? 128 : 32}`;

/** The route to a peer's endpoint in its underlay's table. @param index of the underlay in the configuration */
export function outerRoute(underlay: Underlay, index: number, endpoint: string): string {
  return hostRouteText(hostPrefix(endpoint), underlay.gateway, underlay.device, outerMark(index));
}

/** The routing rules of outer packets of one IP family; none without an underlay of that family. */
export function outerRules(underlays: readonly Underlay[], family: 4 | 6): readonly string[] {
  const ofFamily = underlays.flatMap((underlay, index) =>
    isIpv6(underlay.address) === (family === 6) ? [{ address: underlay.address, mark: outerMark(index) }] : [],
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
 * An endpoint may be used over an underlay if it is on its LAN or behind its gateway, and no route more specific than
 * the default leads to it over the standing peering.
 * @throws EphemeshError ENDPOINT_OVER_PRIMARY
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
      "A mesh must not use the standing peering: configure the underlay's gateway, or agree on a fabric that both regions reach without the peering.",
    );
  };
  if (primaryDevices.includes(underlay.device)) refuse(`its device ${underlay.device} is named under primary`);
  if (!isSameFamily(endpoint, underlay.address)) refuse("the address families differ");
  // Without our mark: with it, the lookup would find our own host route.
  const [best] = await commandJson("ip", ["-j", "route", "get", "fibmatch", endpoint], lookup).catch(
    (error: unknown) => {
      if (error instanceof EphemeshError && /unreachable|No route/i.test(error.message)) return [];
      throw error;
    },
  );
  if (best?.dev === underlay.device) return;
  const isDefault = best === undefined || best.dst === "default";
  if (best?.dev !== undefined && primaryDevices.includes(best.dev) && !isDefault) {
    refuse(`its best path (${best.dst}) uses ${best.dev}, the standing peering`);
  }
  if (underlay.gateway === undefined) {
    refuse(
      best?.dev === undefined
        ? "no route leads there"
        : `its best path uses ${best.dev}, and the underlay has no gateway`,
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

/**
 * MTU of the underlay's device in bytes, if the device is up and has the configured address.
 * @throws EphemeshError UNDERLAY_MISSING, UNDERLAY_DOWN
 */
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
      "Bring the device up with the configured address; meshd does not change underlays.",
      { retryable: true },
    );
  }
  return first.mtu;
}
