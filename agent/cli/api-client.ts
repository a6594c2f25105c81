/** The command line's way to a running agent: its API on loopback. */
import { type Config, loadConfig, readSecret } from "../config.ts";
import { EphemeshError } from "../model/errors.ts";

export async function askAgent(configFile: string, path: string, body?: unknown): Promise<unknown> {
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
      "Is `ephemesh up` running? `ephemesh doctor` tells more.",
      { cause },
    );
  });
  const answer = (await response.json()) as { code?: string; message?: string; remedy?: string };
  if (!response.ok)
    throw new EphemeshError(answer.code ?? "REFUSED", answer.message ?? `HTTP ${response.status}`, answer.remedy ?? "");
  return answer;
}

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
      `The configuration of ${config.region} has no api.`,
      "Add api.listen and api.tokenFile; the command line talks to the agent through it.",
    );
  return config.api;
}
