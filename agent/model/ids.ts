/** Identifiers of the domain, each a type of its own so that one cannot be passed for another. No imports from elsewhere. */
import { z } from "zod";

/** Number of a region in Membership: 1, 2, 3 … */
export const regionId = z.number().int().positive().max(0xffff_ffff).brand("RegionId");
export type RegionId = z.infer<typeof regionId>;

/** Number of an auction in CapacityAuction: 1, 2, 3 … */
export const auctionId = z.number().int().positive().brand("AuctionId");
export type AuctionId = z.infer<typeof auctionId>;

/** A mesh is named by its first auction. */
export const meshId = z.number().int().positive().brand("MeshId");
export type MeshId = z.infer<typeof meshId>;

/** 32 bytes as 0x and 64 lower-case hexadecimal digits. */
export const hex32 = z.templateLiteral(["0x", z.string().regex(/^[0-9a-f]{64}$/)]);

/** `keccak256(abi.encode(auctionId, index))`, as LeaseEscrow computes it. */
export const leaseId = hex32.brand("LeaseId");
export type LeaseId = z.infer<typeof leaseId>;

/** A mesh link: the lease's id for a leased link, `keccak256(mesh, lower region, higher region)` for an added one. */
export const linkId = hex32.brand("LinkId");
export type LinkId = z.infer<typeof linkId>;
