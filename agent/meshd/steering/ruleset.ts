/**
 * Our nftables table as text. It is replaced as a whole in one transaction, unless only pairs change (pair-maps.ts).
 * Stateless, since one `ct` rule would turn on connection tracking for the whole router. A packet that is not of a mesh
 * passes three hooks with one lookup. The operator's own rules run later: their drops and priorities prevail. An ENI is an
 * ephemeral network interface, this end of a link.
 *
 * | chain       | hook                      | what it does |
 * |-------------|---------------------------|--------------|
 * | guard       | prerouting, first         | accepts from an ENI authorised pairs within their leases, and link-local packets |
 * | steer       | prerouting, after mangle  | marks what hosts behind this router send to a participant |
 * | classify    | … from there              | the class by DSCP; for bulk the bucket, by the hash of the five-tuple |
 * | to_router   | input                     | accepts from an ENI only probes, the control channel and ICMPv6 errors |
 * | from_router | output                    | probes first; drops the kernel's multicast, which a tunnel of two does not need |
 * | transit     | forward                   | drops packets in transit over the mesh that would leave it |
 * | egress      | … from there, to an ENI   | clamps the MSS; sets the shaper's class; `critical` beyond its share becomes bulk |
 */

import { ENI_CONTROL_PORT } from "../../model/eni.ts";
import { CRITICAL_SHARE, DSCP, TRAFFIC_CLASSES, type TrafficClass } from "../../model/traffic-class.ts";
import {
  BUCKETS,
  CLASS_MASK,
  DEVICE_PREFIX,
  KIND_MASK,
  LESS_BUCKET_MASK,
  MARK_OURS,
  NFT_TABLE,
  PROBE_PORT,
  steerMark,
  UNCLASSIFIED_CLASS,
} from "../kernel/marks.ts";
import { leafClass, PROBE_CLASS } from "../shaping/htb.ts";
import { DEVICE_COUNTERS, type DeviceCounter, deviceCounter, policerCounter } from "./drop-counters.ts";
import { hex } from "./outer.ts";
import { pairMaps } from "./pair-maps.ts";
import type { GuardedLease, Steering } from "./steering.ts";

/** The whole nftables table, for `nft -f`. */
export function ruleset(steering: Steering): string {
  const { devices, leases, meshIndexes, seed } = steering;
  return `table inet ${NFT_TABLE}
delete table inet ${NFT_TABLE}
table inet ${NFT_TABLE} {
${set("set", "enis", "ifname", devices.map(quote))}
${pairMaps(steering)
  .map(({ name, type, elements }) => set("map", name, type, elements, "flags interval;"))
  .join("\n")}
${set(
  "map",
  "leases",
  "ifname . mark : verdict",
  leases.flatMap((lease) =>
    lease.marks.map((mark) => `${quote(lease.device)} . ${hex(mark)} : jump ${leaseChain(lease)}`),
  ),
)}
${set(
  "map",
  "priorities",
  "mark : classid",
  meshIndexes.flatMap((meshIndex) =>
    TRAFFIC_CLASSES.map((each) => `${hex(steerMark(meshIndex, each))} : ${leafClass(meshIndex, each)}`),
  ),
)}
${set(
  "map",
  "spread",
  "mark : verdict",
  meshIndexes.map((meshIndex) => `${hex(steerMark(meshIndex, UNCLASSIFIED_CLASS))} : goto ${spreadChain(meshIndex)}`),
)}
${set(
  "map",
  "critical",
  "ifname . mark : verdict",
  leases.map(
    (lease) => `${quote(lease.device)} . ${hex(steerMark(lease.meshIndex, "critical"))} : goto ${excess(lease)}`,
  ),
)}
${leases.map((lease) => `  counter ${policerCounter(lease.device, lease.meshIndex)} { }`).join("\n")}
${DEVICE_COUNTERS.map((kind) => deviceCounters(kind, devices)).join("\n")}
${leases.map(leaseText).join("\n")}
${meshIndexes.map((meshIndex) => spreadText(meshIndex, seed)).join("\n")}
  chain guard {
    type filter hook prerouting priority raw; policy accept;
    iifname != "${DEVICE_PREFIX}*" return
    iifname != @enis return
    ip6 saddr fe80::/10 ip6 daddr fe80::/10 return
    ip6 daddr ff00::/8 drop
    ${ICMP_ERRORS} meta mark set ip daddr map @inbound_destinations4 accept
    ${ICMPV6_ERRORS} meta mark set ip6 daddr map @inbound_destinations6 accept
    meta mark set ip saddr . ip daddr map @inbound4
    meta mark set ip6 saddr . ip6 daddr map @inbound6
    iifname . meta mark vmap @leases
    counter name iifname map @unauthorised
    drop
  }
  chain steer {
    type filter hook prerouting priority mangle + 10; policy accept;
    meta mark != 0 goto marked
    meta mark set ip daddr map @outbound_destinations4
    meta mark set ip6 daddr map @outbound_destinations6
    meta mark 0 return
    ${ICMP_ERRORS} goto classify
    ${ICMPV6_ERRORS} goto classify
    meta mark set 0
    meta mark set ip saddr . ip daddr map @outbound4
    meta mark set ip6 saddr . ip6 daddr map @outbound6
    meta mark != 0 goto classify
  }
  chain marked {
    meta mark & ${hex(KIND_MASK)} == ${hex(MARK_OURS)} goto classify
  }
  chain classify {
${classifyText("critical")}
${classifyText("interactive")}
    meta mark vmap @spread
  }
  chain to_router {
    type filter hook input priority filter - 10; policy accept;
    iifname != @enis return
    ip6 saddr fe80::/10 ip6 daddr fe80::/10 jump link_local
    counter name iifname map @toRouter
    drop
  }
  chain link_local {
    udp dport ${PROBE_PORT} udp sport ${PROBE_PORT} accept
    tcp dport ${ENI_CONTROL_PORT} accept
    tcp sport ${ENI_CONTROL_PORT} tcp flags & (syn | ack) != syn accept
    icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept
  }
  chain from_router {
    type filter hook output priority filter - 10; policy accept;
    oifname != @enis return
    ip6 daddr ff00::/8 drop
    udp dport ${PROBE_PORT} ip6 daddr fe80::/10 meta priority set ${PROBE_CLASS}
  }
  chain transit {
    type filter hook forward priority filter - 10; policy accept;
    oifname "${DEVICE_PREFIX}*" oifname @enis goto egress
    meta mark & ${hex(KIND_MASK)} == ${hex(MARK_OURS)} iifname @enis goto strayed_out
  }
  chain strayed_out {
    counter name iifname map @strayed
    drop
  }
  chain strayed_in {
    counter name oifname map @strayed
    drop
  }
  chain egress {
    meta mark & ${hex(KIND_MASK)} != ${hex(MARK_OURS)} goto strayed_in
    tcp flags syn tcp option maxseg size set rt mtu
    meta priority set meta mark & ${hex(LESS_BUCKET_MASK)} map @priorities
    oifname . meta mark vmap @critical
  }
}
`;
}

/** 1 % above the peer's shaper, so that only an excess is dropped. The kernel adds one second of the rate to the burst. */
function leaseText(lease: GuardedLease): string {
  const bytesPerSecond = Math.round((lease.rateMbps * 1_000_000 * 1.01) / 8);
  const burst = Math.max(65_536, Math.round(bytesPerSecond / 10));
  return `  chain ${leaseChain(lease)} {
    limit rate over ${bytesPerSecond} bytes/second burst ${burst} bytes counter name ${policerCounter(lease.device, lease.meshIndex)} drop
    accept
  }
  chain ${excess(lease)} {
    limit rate over ${Math.round(bytesPerSecond * CRITICAL_SHARE)} bytes/second burst ${Math.round(burst * CRITICAL_SHARE)} bytes meta priority set ${leafClass(lease.meshIndex, "bulk")}
  }`;
}

function classifyText(trafficClass: Exclude<TrafficClass, "bulk">): string {
  const mark = `meta mark set meta mark & ${hex(0xffffffff - CLASS_MASK)} | ${hex(steerMark(0, trafficClass) - MARK_OURS)}`;
  return ["ip", "ip6"].map((ip) => `    ${ip} dscp { ${DSCP[trafficClass].join(", ")} } ${mark} return`).join("\n");
}

/** Fragments carry no ports: all fragments of a packet are hashed by addresses alone. */
function spreadText(meshIndex: number, seed: number): string {
  const bucket = `mod ${BUCKETS} seed ${hex(seed)} offset ${hex(steerMark(meshIndex, "bulk"))}`;
  const ports = "meta l4proto . th sport . th dport";
  return `  chain ${spreadChain(meshIndex)} {
    meta l4proto { tcp, udp } ip frag-off & 0x3fff == 0 meta mark set jhash ip saddr . ip daddr . ${ports} ${bucket} return
    meta l4proto { tcp, udp } exthdr frag missing meta mark set jhash ip6 saddr . ip6 daddr . ${ports} ${bucket} return
    meta mark set jhash ip saddr . ip daddr ${bucket} return
    meta mark set jhash ip6 saddr . ip6 daddr ${bucket}
  }`;
}

const spreadChain = (meshIndex: number): string => `spread_${meshIndex}`;
const excess = (lease: GuardedLease): string => `excess_${lease.device}_${lease.meshIndex}`;
const leaseChain = (lease: GuardedLease): string => `lease_${lease.device}_${lease.meshIndex}`;
const quote = (device: string): string => `"${device}"`;

/** The counters of all devices, and the map from device to counter. */
function deviceCounters(kind: DeviceCounter, devices: readonly string[]): string {
  const counters = devices.map((device) => `  counter ${deviceCounter(kind, device)} { }`);
  const elements = devices.map((device) => `${quote(device)} : ${quote(deviceCounter(kind, device))}`);
  return [...counters, set("map", kind, "ifname : counter", elements)].join("\n");
}

/** Rate-limited, because they are not counted against a lease. */
const ERRORS_LIMIT = "limit rate 200/second burst 200 packets";
const ICMP_ERRORS = `icmp type { destination-unreachable, time-exceeded, parameter-problem } ${ERRORS_LIMIT}`;
const ICMPV6_ERRORS = `icmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } ${ERRORS_LIMIT}`;

function set(kind: "set" | "map", name: string, type: string, elements: readonly string[], flags = ""): string {
  const content = elements.length === 0 ? "" : `\n    elements = { ${elements.join(",\n      ")} }`;
  return `  ${kind} ${name} {\n    type ${type}; ${flags}${content}\n  }`;
}
