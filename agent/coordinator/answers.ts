/** What this agent answers to its peers' messages on the control channel. */
import { z } from "zod";
import type { ControlHandler } from "../control/server.ts";
import { regionId } from "../model/ids.ts";
import { answerTeardown } from "./handlers/dissolve.ts";
import { acceptLink, linkOffer } from "./handlers/link.ts";
import { acceptCosigned, answerReceipt } from "./handlers/receipt.ts";
import { answerRelay } from "./handlers/relay.ts";
import { answerTopology, measureTo } from "./handlers/topology.ts";
import { flattened } from "./pairs.ts";
import type { Site } from "./site.ts";

/** The handlers by kind of message. Each throws an EphemeshError to refuse, or ZodError for a malformed body. */
export function answersOf(site: Site): Readonly<Record<string, ControlHandler>> {
  return {
    "round-trips": async (_, __, body) => {
      const { targets } = z.strictObject({ targets: z.array(regionId).max(256) }).parse(body);
      return { pairs: flattened(await measureTo(site, targets)) };
    },
    topology: async (_, __, body) => answerTopology(site, body),
    "link-offer": async (from, _, body) => acceptLink(site, from, linkOffer.parse(body)),
    receipt: async (from, _, body) => answerReceipt(site, from, body),
    "receipt-cosigned": async (from, _, body) => acceptCosigned(site, from, body),
    "relay-transaction": async (from, _, body) => answerRelay(site, from, body),
    teardown: async (from, _, body) => answerTeardown(site, from, body),
  };
}
