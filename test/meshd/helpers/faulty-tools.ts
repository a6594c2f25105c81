/**
 * Stand-ins for the commands that meshd runs, in a folder that goes first in its PATH. Each does what the real one does
 * until a file says otherwise; what is said holds for all that runs from then on, for the long-lived batches as well.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

export type Tool = "ip" | "tc" | "nft" | "wg";
/**
 * `fail`: exits with 1. `hang`: answers nothing, does nothing. The others do their work, but what comes out is: `garbage`:
 * bytes that mean nothing; `truncate`: the first third; `silent`: nothing, as if there were nothing to print.
 */
export type Fault = "fail" | "hang" | "garbage" | "truncate" | "silent";

const TOOLS: readonly Tool[] = ["ip", "tc", "nft", "wg"];
/** Of the stand-ins, and of meshd where it has no other PATH. */
const HELPERS = ["chrt", "head", "sleep", "unshare", "wireguard-go"];
const FOLDERS = ["/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/bin"];

export class FaultyTools {
  readonly folder: string;

  constructor(parent: string, name: string) {
    this.folder = join(parent, name);
    mkdirSync(this.folder);
    for (const helper of HELPERS) symlinkSync(realPath(helper), join(this.folder, helper));
    for (const tool of TOOLS) {
      this.replace(tool, standIn(realPath(tool), join(this.folder, `${tool}.fault`), this.#doneFile(tool)));
    }
  }

  breaks(tool: Tool, fault: Fault): void {
    writeFileSync(join(this.folder, `${tool}.fault`), `${fault}\n`);
  }

  behave(): void {
    for (const tool of TOOLS) rmSync(join(this.folder, `${tool}.fault`), { force: true });
  }

  /** What it was asked for and did. */
  done(tool: Tool): string {
    return existsSync(this.#doneFile(tool)) ? readFileSync(this.#doneFile(tool), "utf8") : "";
  }

  #doneFile(tool: Tool): string {
    return join(this.folder, `${tool}.done`);
  }

  remove(tool: string): void {
    rmSync(join(this.folder, tool));
  }

  /** A shell script instead of it. */
  replace(tool: string, script: string): void {
    const file = join(this.folder, tool);
    writeFileSync(file, `#!/bin/sh\n${script}\n`);
    chmodSync(file, 0o755);
  }
}

/** Where a command is, without regard to PATH. */
export function realPath(tool: string): string {
  const real = FOLDERS.map((folder) => join(folder, tool)).find(existsSync);
  if (!real) throw new Error(`${tool} is not installed`);
  return real;
}

const standIn = (real: string, faultFile: string, doneFile: string): string => `
fault() {
  fault=
  [ ! -e "${faultFile}" ] || read -r fault <"${faultFile}"
}
noise() { head -c 4096 /dev/urandom; }
if [ "$1 $2 $3" = "-force -batch -" ]; then
  while IFS= read -r line; do
    fault
    case $fault in
      fail) exit 1 ;;
      hang) exec sleep 600 ;;
      garbage) noise >&2 ;;
    esac
    printf '%s\\n' "$line"
  done | ${real} "$@"
  exit
fi
fault
case $fault in
  fail) echo "this tool is broken" >&2; exit 1 ;;
  hang) exec sleep 600 ;;
esac
case "$*" in
  *monitor*) exec ${real} "$@" ;;
esac
out=$(${real} "$@")
status=$?
[ $status -ne 0 ] || echo "$*" >>"${doneFile}"
case $fault in
  garbage) noise ;;
  truncate) printf '%s' "$out" | head -c $(( \${#out} / 3 )) ;;
  silent) ;;
  *) [ -z "$out" ] || printf '%s\\n' "$out" ;;
esac
exit $status`;
