/**
 * Rules, routes and next-hop objects as `ip` writes them, one text for one object, so that wanted and found are sets
 * of texts, and what to do is their difference.
 */
import { z } from "zod";
import { commandJson } from "../kernel/commands.ts";
import { ARRIVALS_TABLE, isOurNextHopId, PROTOCOL } from "../kernel/marks.ts";

export interface KernelObjects {
  readonly rules4: ReadonlySet<string>;
  readonly rules6: ReadonlySet<string>;
  readonly routes: ReadonlySet<string>;
  /** By id: where it leads. */
  readonly nextHops: ReadonlyMap<number, string>;
}

export const NO_OBJECTS: KernelObjects = {
  rules4: new Set(),
  rules6: new Set(),
  routes: new Set(),
  nextHops: new Map(),
};

export const nextHopText = (via: string, device: string): string => `via ${via} dev ${device}`;
export const meshRouteText = (prefix: string, nextHop: number, table: number): string =>
  `${prefix} nhid ${nextHop} table ${table}`;
export const hostRouteText = (host: string, gateway: string | undefined, device: string, table: number): string =>
  gateway === undefined
    ? `${host} dev ${device} table ${table}`
    : `${host} via ${gateway} dev ${device} table ${table}`;
/** Any route of its kind pleases a loose reverse-path filter; one that needs no next hop never goes with one. */
export const arrivalRouteText = (prefix: string): string => hostRouteText(prefix, undefined, "lo", ARRIVALS_TABLE);
/** Refuses what has no path; the two families need two texts. */
export const refusalText = (family: 4 | 6, table: number): string =>
  `unreachable ${family === 4 ? "0.0.0.0/0" : "::/0"} table ${table}`;

/** Back to `main`: a more specific route of the region's own keeps its precedence (ROUTING.md, section 1). */
export const throwText = (prefix: string, table: number): string => `throw ${prefix} table ${table}`;

export interface Changes {
  /** For one `ip -batch -`, in an order in which no packet loses its route. */
  readonly lines: readonly string[];
  readonly rules4: readonly string[];
  readonly rules6: readonly string[];
}

/** What makes `wanted` of `found`. */
export function changes(found: KernelObjects, wanted: KernelObjects): Changes {
  const goneNextHops = [...found.nextHops.keys()].filter((id) => !wanted.nextHops.has(id));
  const removedWith = new Set(goneNextHops);
  const lines = [
    ...[...wanted.nextHops].flatMap(([id, text]) => {
      const before = found.nextHops.get(id);
      if (before === text) return [];
      // An id that we do not hold is only ever added: replacing would silently overwrite another daemon's object.
      return [`nexthop ${before === undefined ? "add" : "replace"} id ${id} ${text} protocol ${PROTOCOL}`];
    }),
    ...missing(wanted.routes, found.routes).map((text) => `route add ${text} protocol ${PROTOCOL}`),
    // Deleting a next-hop object takes all its routes away in one operation of the kernel.
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

/** What the kernel leaves when an interface goes down or away: its next-hop objects go, and every route over them. */
export function withoutDevice(objects: KernelObjects, device: string): KernelObjects {
  const nextHops = new Map([...objects.nextHops].filter(([, text]) => !text.endsWith(` dev ${device}`)));
  const stays = (text: string): boolean => !text.includes(" nhid ") || nextHops.has(nextHopOf(text));
  return { ...objects, nextHops, routes: new Set([...objects.routes].filter(stays)) };
}

const nextHopOf = (routeText: string): number => Number(/ nhid (\d+) /.exec(routeText)?.[1]);

/** New rules first from the end, so that a jump finds its target; old ones go from the front. */
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

/** A namespace without any rule would forward nothing at all. */
const foundRules = z.array(foundRule).min(1);

/** Everything of ours in this namespace, read afresh. */
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

/** Asked for numbers instead of names, `ip` says RTN_UNREACHABLE as one. */
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
