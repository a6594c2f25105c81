/** How the command line talks to a running agent: over its API. */

import type { ErrorAnswer } from "../api/schemas.ts";
import { type Config, loadConfig, readSecret } from "../config.ts";
import { EphemeshError } from "../model/errors.ts";

/**
 * Sends a GET, or with a body a POST with the operator's token.
 * @throws EphemeshError NO_API, AGENT_UNREACHABLE, the agent's own refusals, CONFIG_…, SECRET_…
 */
export async function askAgent<Answer>(configFile: string, path: string, body?: unknown): Promise<Answer> {
  const config = loadConfig(configFile);
  const api = apiOf(config);
  const response = await fetch(`http://${api.listen}${path}`, {
    ...(body === undefined
      ? {}
      : {
          method: "POST",
          headers: { "content-type": "application/json", authorization: `Bearer ${readSecret(api.tokenFile)}` },
          body: JSON.stringify(body),
        }),
    signal: AbortSignal.timeout(30_000),
  }).catch((cause: unknown) => {
    throw new EphemeshError(
      "AGENT_UNREACHABLE",
      `The agent of ${config.region} does not answer on ${api.listen}.`,
      "Start it with `ephemesh up`; `ephemesh doctor` finds what prevents it.",
      { cause },
    );
  });
  const answer: unknown = await response.json().catch(() => null);
  const { code, message, remedy } = (answer ?? {}) as Partial<ErrorAnswer>;
  if (response.ok && answer !== null) return answer as Answer;
  if (code !== undefined) throw new EphemeshError(code, message ?? `HTTP ${response.status}`, remedy ?? "");
  throw new EphemeshError(
    "NOT_AN_AGENT",
    `${api.listen} does not answer like an ephemesh agent (HTTP ${response.status}).`,
    "Correct api.listen, or stop the process that uses this port.",
  );
}

/** Whether the agent answers within 3 s that it lives or is ready. @throws EphemeshError NO_API, CONFIG_… */
export async function isHealthy(configFile: string, path: "/healthz" | "/readyz"): Promise<boolean> {
  const api = apiOf(loadConfig(configFile));
  return fetch(`http://${api.listen}${path}`, { signal: AbortSignal.timeout(3000) }).then(
    (response) => response.ok,
    () => false,
  );
}

function apiOf(config: Config): NonNullable<Config["api"]> {
  if (!config.api)
    throw new EphemeshError(
      "NO_API",
      `The configuration of ${config.region} has no \`api\`.`,
      "Add api.listen and api.tokenFile: the command line talks to the agent over the API.",
    );
  return config.api;
}
