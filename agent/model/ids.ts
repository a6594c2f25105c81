/** Identifiers and signatures. Each identifier has its own type, so that the compiler refuses one in place of another. */
import { z } from "zod";

/** A region's number in Membership: 1, 2, 3 … */
export const regionId = z.number().int().positive().max(0xffff_ffff).brand("RegionId");
export type RegionId = z.infer<typeof regionId>;

/** An auction's number in CapacityAuction: 1, 2, 3 … */
export const auctionId = z.number().int().positive().brand("AuctionId");
export type AuctionId = z.infer<typeof auctionId>;

/** A mesh's number: that of its first auction. */
export const meshId = z.number().int().positive().brand("MeshId");
export type MeshId = z.infer<typeof meshId>;

/** 32 bytes as 0x and 64 lower-case hexadecimal digits. */
export const hex32 = z.templateLiteral(["0x", z.string().regex(/^[0-9a-f]{64}$/)]);

/** A signature of a region's chain key: r, s and v, as 0x and 130 lower-case hexadecimal digits. */
export const chainSignature = z.templateLiteral(["0x", z.string().regex(/^[0-9a-f]{130}$/)]);

/** A lease's id: `keccak256(abi.encode(auctionId, index))`, as LeaseEscrow computes it. */
export const leaseId = hex32.brand("LeaseId");
export type LeaseId = z.infer<typeof leaseId>;

/** A link's id: the lease's id for a leased link, `keccak256(mesh, lower region, higher region)` for an added one. */
export const linkId = hex32.brand("LinkId");
export type LinkId = z.infer<typeof linkId>;
