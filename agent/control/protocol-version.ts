/** Which versions of the control protocol this agent speaks, and which peers speak another one. */
import { EphemeshError } from "../model/errors.ts";
import type { RegionId } from "../model/ids.ts";

/** All versions use the same envelope; messages of any other version are refused. */
export const PROTOCOL_VERSION = 2;

/** Which versions peers speak. Warns of each other version once. */
export class PeerVersions {
  readonly #warn: (warning: EphemeshError) => void;
  readonly #warned = new Map<RegionId, number>();

  /** @param warn gets one warning for each peer and other version. */
  constructor(warn: (warning: EphemeshError) => void) {
    this.#warn = warn;
  }

  /**
   * Notes the version of a message that the peer signed; warns of one that differs from ours, once.
   * @returns CONTROL_VERSION, for which the message is refused, or null if the version is ours
   */
  note(peer: RegionId, version: number): EphemeshError | null {
    if (version === PROTOCOL_VERSION) return null;
    const problem = versionProblem(peer, version, "Its messages are refused.");
    if (this.#warned.get(peer) !== version) this.#warn(problem);
    this.#warned.set(peer, version);
    return problem;
  }
}

/** CONTROL_VERSION, with who has to update. @param consequence what becomes of the message, as a sentence */
export function versionProblem(peer: RegionId, version: number, consequence: string): EphemeshError {
  return new EphemeshError(
    "CONTROL_VERSION",
    `Region ${peer} speaks version ${version} of the control protocol, this region version ${PROTOCOL_VERSION}. ${consequence}`,
    version < PROTOCOL_VERSION ? `Ask the operator of region ${peer} to update.` : "Update this agent.",
  );
}
