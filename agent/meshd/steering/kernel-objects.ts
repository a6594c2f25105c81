/**
 * Rules, routes and next-hop objects as `ip` prints them, one text for each, so that wanted and found are sets of texts,
 * and the changes are their difference.
 */
import { z } from "zod";
import { commandJson } from "../kernel/commands.ts";
import { ARRIVALS_TABLE, isOurNextHopId, PROTOCOL } from "../kernel/marks.ts";

export interface KernelObjects {
  readonly rules4: ReadonlySet<string>;
  readonly rules6: ReadonlySet<string>;
  readonly routes: ReadonlySet<string>;
  /** Gateway and device, by id. */
  readonly nextHops: ReadonlyMap<number, string>;
}

export const NO_OBJECTS: KernelObjects = {
  rules4: new Set(),
  rules6: new Set(),
  routes: new Set(),
  nextHops: new Map(),
};

/** Texts of next-hop objects and routes, in the form that `ip` prints, so that found and wanted ones compare. */
export const nextHopText = (via: string, device: string): string => `via ${via} dev ${device}`;
export const meshRouteText = (prefix: string, nextHop: number, table: number): string =>
  `${prefix} nhid ${nextHop} table ${table}`;
export const hostRouteText = (host: string, gateway: string | undefined, device: string, table: number): string =>
  gateway === undefined
    ? `${host} dev ${device} table ${table}`
    : `${host} via ${gateway} dev ${device} table ${table}`;
/** A loose reverse-path filter accepts any unicast route; this one needs no next hop, and so is never lost with one. */
export const arrivalRouteText = (prefix: string): string => hostRouteText(prefix, undefined, "lo", ARRIVALS_TABLE);
/** For packets without a path; each family prints it differently. */
export const refusalText = (family: 4 | 6, table: number): string =>
  `unreachable ${family === 4 ? "0.0.0.0/0" : "::/0"} table ${table}`;

/** Back to `main`: a more specific route of the region itself keeps its precedence. */
export const throwText = (prefix: string, table: number): string => `throw ${prefix} table ${table}`;

export interface Changes {
  /** For one `ip -batch -`, ordered so that no packet is without a route in between. */
  readonly lines: readonly string[];
  readonly rules4: readonly string[];
  readonly rules6: readonly string[];
}

/** The changes from `found` to `wanted`. */
export function changes(found: KernelObjects, wanted: KernelObjects): Changes {
  const goneNextHops = [...found.nextHops.keys()].filter((id) => !wanted.nextHops.has(id));
  const removedWith = new Set(goneNextHops);
  const lines = [
    ...[...wanted.nextHops].flatMap(([id, text]) => {
      const before = found.nextHops.get(id);
      if (before === text) return [];
      // An id that is not ours is only added: `replace` would silently overwrite another daemon's object.
      return [`nexthop ${before === undefined ? "add" : "replace"} id ${id} ${text} protocol ${PROTOCOL}`];
    }),
    ...missing(wanted.routes, found.routes).map((text) => `route add ${text} protocol ${PROTOCOL}`),
    // Deleting a next-hop object also deletes its routes, in one operation of the kernel.
    ...goneNextHops.map((id) => `nexthop del id ${id}`),
    ...missing(found.routes, wanted.routes)
      .filter((text) => !removedWith.has(nextHopOf(text)))
      .map((text) => `route del ${text} protocol ${PROTOCOL}`),
  ];
  return {
    lines,
    rules4: ruleLines(found.rules4, wanted.rules4),
    rules6: ruleLines(found.rules6, wanted.rules6),
  };
}

/** What is left when an interface goes down or is deleted: the kernel removes its next-hop objects and their routes. */
export function withoutDevice(objects: KernelObjects, device: string): KernelObjects {
  const nextHops = new Map([...objects.nextHops].filter(([, text]) => !text.endsWith(` dev ${device}`)));
  const stays = (text: string): boolean => !text.includes(" nhid ") || nextHops.has(nextHopOf(text));
  return { ...objects, nextHops, routes: new Set([...objects.routes].filter(stays)) };
}

const nextHopOf = (routeText: string): number => Number(/ nhid (\d+) /.exec(routeText)?.[1]);

/** Adds rules from the last to the first, so that the target of a `goto` exists, and deletes from the first to the last. */
function ruleLines(found: ReadonlySet<string>, wanted: ReadonlySet<string>): readonly string[] {
  return [
    ...missing(wanted, found)
      .sort()
      .reverse()
      .map((text) => `rule add ${text} protocol ${PROTOCOL}`),
    ...missing(found, wanted)
      .sort()
      .map((text) => `rule del ${text} protocol ${PROTOCOL}`),
  ];
}

function missing(all: ReadonlySet<string>, from: ReadonlySet<string>): string[] {
  return [...all].filter((text) => !from.has(text));
}

const protocol = z.union([z.string(), z.number()]).transform(String).optional();
const foundRule = z.object({
  priority: z.number(),
  protocol,
  not: z.null().optional(),
  src: z.string(),
  srclen: z.number().optional(),
  fwmark: z.string().optional(),
  fwmask: z.string().optional(),
  table: z.string().optional(),
  goto: z.number().optional(),
  action: z.string().optional(),
  nop: z.null().optional(),
});
const foundRoute = z.object({
  type: z.string().optional(),
  dst: z.string(),
  gateway: z.string().optional(),
  dev: z.string().optional(),
  table: z.string().optional(),
  nhid: z.number().optional(),
});
const foundNextHop = z.object({ id: z.number(), protocol, gateway: z.string().optional(), dev: z.string().optional() });

/** There is always at least one rule: without any, nothing would be forwarded. */
const foundRules = z.array(foundRule).min(1);

/**
 * meshd's objects in this network namespace, read from the kernel.
 * @throws EphemeshError what `commandJson` throws
 */
export async function readKernelObjects(): Promise<KernelObjects> {
  const ours = String(PROTOCOL);
  const routesOf = (family: "-4" | "-6") => ["-j", "-N", family, "route", "show", "table", "all", "protocol", ours];
  const [rules4, rules6, routes4, routes6, nextHops] = await Promise.all([
    commandJson("ip", ["-4", "-j", "-N", "rule", "show"], foundRules),
    commandJson("ip", ["-6", "-j", "-N", "rule", "show"], foundRules),
    commandJson("ip", routesOf("-4"), z.array(foundRoute)),
    commandJson("ip", routesOf("-6"), z.array(foundRoute)),
    commandJson("ip", ["-j", "-N", "nexthop", "show", "protocol", ours], z.array(foundNextHop)),
  ]);
  const rules = (found: z.infer<typeof foundRules>): Set<string> =>
    new Set(found.filter((rule) => rule.protocol === ours).map(ruleText));
  return {
    rules4: rules(rules4),
    rules6: rules(rules6),
    routes: new Set([...routes4.map((route) => routeText(route, 4)), ...routes6.map((route) => routeText(route, 6))]),
    nextHops: new Map(
      nextHops
        .filter((hop) => isOurNextHopId(hop.id))
        .map((hop) => [hop.id, hop.gateway && hop.dev ? nextHopText(hop.gateway, hop.dev) : "blackhole"]),
    ),
  };
}

function ruleText(rule: z.infer<typeof foundRule>): string {
  const source = rule.src === "all" ? "" : ` from ${rule.src}${rule.srclen === undefined ? "" : `/${rule.srclen}`}`;
  const mark = rule.fwmark === undefined ? "" : ` fwmark ${rule.fwmark}/${rule.fwmask ?? "0xffffffff"}`;
  const not = rule.not === null ? " not" : "";
  const what =
    rule.goto !== undefined
      ? `goto ${rule.goto}`
      : rule.table !== undefined
        ? `lookup ${rule.table}`
        : rule.action === undefined
          ? "nop"
          : isUnreachable(rule.action)
            ? "unreachable"
            : rule.action;
  return `pref ${rule.priority}${not}${source}${mark} ${what}`;
}

/** With `-N`, `ip` prints RTN_UNREACHABLE as a number. */
const isUnreachable = (type: string): boolean => type === "unreachable" || type === "7";
const isThrow = (type: string): boolean => type === "throw" || type === "9";

function routeText(route: z.infer<typeof foundRoute>, family: 4 | 6): string {
  const table = Number(route.table ?? 254);
  if (route.type !== undefined && isUnreachable(route.type)) return refusalText(family, table);
  const all = family === 4 ? "0.0.0.0/0" : "::/0";
  const host = family === 4 ? "/32" : "/128";
  const prefix = route.dst === "default" ? all : route.dst.includes("/") ? route.dst : `${route.dst}${host}`;
  if (route.type !== undefined && isThrow(route.type)) return throwText(prefix, table);
  if (route.nhid !== undefined) return meshRouteText(prefix, route.nhid, table);
  return hostRouteText(prefix, route.gateway, route.dev ?? "", table);
}
