/** One HTTP request to a peer's control channel, by a URL of the register or inside an ENI; answers are bounded. */
import { request } from "node:http";
import type { Readable } from "node:stream";
import { ENI_CONTROL_PORT, type EniEnd } from "../model/eni.ts";
import { EphemeshError } from "../model/errors.ts";
import { MESSAGE_LIMIT_BYTES } from "./envelope.ts";

/** A way to a peer: a URL that it registered, or our end of an ENI to it. */
export type PeerEndpoint = string | EniEnd;

export interface Posted {
  readonly status: number;
  readonly text: string;
}

const PATH = "/v1/control";

export function post(endpoint: PeerEndpoint, body: string, signal: AbortSignal): Promise<Posted> {
  return typeof endpoint === "string" ? postTo(endpoint, body, signal) : postInside(endpoint, body, signal);
}

/** The URL, or the address with the interface as its scope: for comparison and display. */
export function peerEndpointText(endpoint: PeerEndpoint): string {
  return typeof endpoint === "string" ? endpoint : `${endpoint.peerAddress}%${endpoint.device}`;
}

async function postTo(url: string, body: string, signal: AbortSignal): Promise<Posted> {
  const response = await fetch(`${url}${PATH}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body,
    signal,
    redirect: "error",
  });
  return { status: response.status, text: await boundedText(response.body ?? []) };
}

/** A URL cannot name the scope of a link-local address. */
async function postInside({ device, peerAddress }: EniEnd, body: string, signal: AbortSignal): Promise<Posted> {
  const response = await new Promise<Readable & { statusCode?: number }>((resolve, reject) => {
    request({
      ...{ host: `${peerAddress}%${device}`, port: ENI_CONTROL_PORT, path: PATH, method: "POST", signal },
      headers: { host: `[${peerAddress}]`, "content-type": "application/json" },
    })
      .on("response", resolve)
      .on("error", reject)
      .end(body);
  });
  return { status: response.statusCode ?? 0, text: await boundedText(response) };
}

async function boundedText(chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): Promise<string> {
  const kept: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of chunks) {
    size += chunk.byteLength;
    if (size > MESSAGE_LIMIT_BYTES)
      throw new EphemeshError(
        "CONTROL_TOO_LARGE",
        `The answer has more than ${MESSAGE_LIMIT_BYTES} bytes. It was dropped.`,
        "The agent tries the peer's next address; if all fail, check that the peer's control URLs lead to its agent.",
      );
    kept.push(chunk);
  }
  return Buffer.concat(kept).toString("utf8");
}
