/** What the requests that change something carry; /v1/triggers has its own in trigger/demand.ts. */
import type { NextFunction, Request, Response } from "express";
import { z } from "zod";
import { EphemeshError } from "../model/errors.ts";

/** Whether the agent is to drain from here on, or, with false, to take part again. */
export const drainRequest = z.strictObject({ draining: z.boolean().default(true) });

/** Which event is to end, by its key or the mesh's number; none: all of this region's. */
export const downRequest = z.strictObject({ key: z.string().max(80).optional() });

/**
 * A body that express does not read would count as none: "stop draining", sent as a form, would start it.
 * @throws EphemeshError REQUEST_INVALID
 */
export function refuseOtherBodies(request: Request, _: Response, next: NextFunction): void {
  const hasBody =
    request.headers["transfer-encoding"] !== undefined || Number(request.headers["content-length"] ?? 0) > 0;
  if (hasBody && request.body === undefined)
    throw new EphemeshError(
      "REQUEST_INVALID",
      "The request has a body that is not JSON. Nothing was changed.",
      "Send it with `content-type: application/json`.",
    );
  next();
}
