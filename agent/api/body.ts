import type { NextFunction, Request, Response } from "express";
import { EphemeshError } from "../model/errors.ts";

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
