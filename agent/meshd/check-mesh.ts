/** Checks a wanted mesh before anything of it reaches the kernel: it is accepted or refused as a whole. */
import { EphemeshError } from "../model/errors.ts";
import type { RegionId } from "../model/ids.ts";
import type { MeshdConfig, MeshSpec } from "../model/meshd-messages.ts";
import { enclosing, isCanonical, PrefixSet } from "../model/prefix.ts";

/** @throws EphemeshError MESH_INVALID, ROUTING_KEY_MISMATCH, PREFIX_INVALID, PREFIX_OVERLAP, PREFIX_NOT_HELD, UNDERLAY_UNKNOWN */
export function checkMesh(spec: MeshSpec, config: MeshdConfig, ownRoutingKey: string): void {
  const participants = new Map(spec.participants.map((participant) => [participant.regionId, participant]));
  if (participants.size !== spec.participants.length)
    throw refusal("MESH_INVALID", "a region is listed twice among the participants");
  const self = participants.get(spec.self);
  if (!self) throw refusal("MESH_INVALID", `this region, ${spec.self}, is not a participant`);
  if (self.routingKey !== ownRoutingKey) {
    throw refusal(
      "ROUTING_KEY_MISMATCH",
      `region ${spec.self} is registered with routing key ${self.routingKey}, but ${config.routingKeyFile} holds the private key of ${ownRoutingKey}: no peer would accept our advertisements`,
      "Register the right key, or put the registered one into the file.",
    );
  }
  checkPrefixes(spec);
  const registered = new Map(spec.participants.map(({ regionId, prefixes }) => [regionId, new PrefixSet(prefixes)]));
  const holds = (region: RegionId, prefix: string): boolean => registered.get(region)?.contains(prefix) === true;
  for (const pair of spec.pairs) {
    if (!holds(pair.sourceRegion, pair.source) || !holds(pair.destinationRegion, pair.destination)) {
      throw refusal(
        "PREFIX_NOT_HELD",
        `the pair ${pair.source} → ${pair.destination} names a prefix that its region does not hold (INV-9)`,
      );
    }
    if (pair.sourceRegion === pair.destinationRegion)
      throw refusal(
        "MESH_INVALID",
        `the pair ${pair.source} → ${pair.destination} has both ends in region ${pair.sourceRegion}`,
      );
  }
  const links = new Set<string>();
  for (const link of spec.links) {
    if (links.has(link.linkId)) throw refusal("MESH_INVALID", `link ${link.linkId} is listed twice`);
    links.add(link.linkId);
    if (!participants.has(link.peer) || link.peer === spec.self) {
      throw refusal("MESH_INVALID", `the peer of link ${link.linkId}, region ${link.peer}, is not another participant`);
    }
    if (!config.underlays.some((underlay) => underlay.name === link.underlay)) {
      throw refusal(
        "UNDERLAY_UNKNOWN",
        `link ${link.linkId} uses underlay ${link.underlay}, which is not in the configuration`,
      );
    }
    if (link.notAfterMonotonicMillis <= link.startsMonotonicMillis) {
      throw refusal("MESH_INVALID", `link ${link.linkId} ends before it starts`);
    }
  }
}

function checkPrefixes(spec: MeshSpec): void {
  const all = spec.participants.flatMap(({ regionId, prefixes }) => prefixes.map((prefix) => ({ regionId, prefix })));
  for (const { regionId, prefix } of all) {
    if (!isCanonical(prefix))
      throw refusal("PREFIX_INVALID", `prefix ${prefix} of region ${regionId} has host bits or an unusual form`);
  }
  for (const [index, wider] of enclosing(all.map(({ prefix }) => prefix)).entries()) {
    const inner = all[index];
    const outer = wider.map((each) => all[each]).find((each) => each?.regionId !== inner?.regionId);
    if (inner && outer)
      throw refusal(
        "PREFIX_OVERLAP",
        `prefix ${outer.prefix} of region ${outer.regionId} overlaps ${inner.prefix} of region ${inner.regionId}`,
      );
  }
}

const FOLLOW_THE_CHAIN = "Apply a mesh that agrees with the registrations and leases on chain.";

function refusal(code: string, what: string, remedy = FOLLOW_THE_CHAIN): EphemeshError {
  return new EphemeshError(code, `The mesh is refused: ${what}. Nothing was changed.`, remedy);
}
