/** Stand-ins for the commands that meshd runs, in a folder that goes first in its PATH: each records how it is called. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { realPath } from "./faulty-tools.ts";

const TOOLS = ["ip", "tc", "nft", "wg", "wireguard-go", "chrt"];

export class RecordingTools {
  readonly folder: string;

  constructor(parent: string, name: string) {
    this.folder = join(parent, name);
    mkdirSync(this.folder);
    for (const tool of TOOLS) {
      const file = join(this.folder, tool);
      const record = `printf '%s\\n' "${tool} $*" "$(env)" >>"${this.#file}"`;
      writeFileSync(file, `#!/bin/sh\n${record}\nexec ${realPath(tool)} "$@"\n`);
      chmodSync(file, 0o755);
    }
  }

  /** The arguments and the environment of every call. */
  get calls(): string {
    return readFileSync(this.#file, "utf8");
  }

  get #file(): string {
    return join(this.folder, "calls");
  }
}
