/** The current state of Membership, read again whenever the register changes and never learned from a peer. */
import type { Hex, PublicClient } from "viem";
import { type RegionId, regionId } from "../model/ids.ts";
import { formatPrefix } from "../model/prefix.ts";
import { attributesOf, type Region } from "../model/region.ts";
import { membershipAbi } from "./abi/membership.ts";

export async function readRegions(client: PublicClient, membership: Hex): Promise<ReadonlyMap<RegionId, Region>> {
  const contract = { address: membership, abi: membershipAbi } as const;
  const [count, fabricNames] = await Promise.all([
    client.readContract({ ...contract, functionName: "regionCount" }),
    client.readContract({ ...contract, functionName: "fabrics" }),
  ]);
  const found = await Promise.all(
    Array.from({ length: count }, (_, i) =>
      client.readContract({ ...contract, functionName: "region", args: [i + 1] }),
    ),
  );
  return new Map(
    found.map((r) => {
      const id = regionId.parse(r.id);
      return [
        id,
        {
          id,
          name: r.name,
          organisation: r.organisation,
          treasury: r.treasury,
          agentKey: r.agent,
          routingKey: r.routingKey.toLowerCase() as Hex,
          place: r.place,
          prefixes: r.prefixes.map(({ network, length }) => formatPrefix(network, length)),
          fabrics: fabricNames.filter((_, i) => (r.fabrics >> BigInt(i)) & 1n),
          attributes: attributesOf(r.attributes),
          controlUrls: r.controlUrls.map(({ url }) => url).filter((url) => /^https?:\/\//.test(url)),
          active: !r.suspended,
        },
      ];
    }),
  );
}

export async function readFabrics(client: PublicClient, membership: Hex): Promise<readonly string[]> {
  return client.readContract({ address: membership, abi: membershipAbi, functionName: "fabrics" });
}
