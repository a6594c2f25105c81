/**
 * Stand-ins for the commands that meshd runs, in a folder that goes first in its PATH. Each runs the real one; together
 * they count: every command, and every line of a batch, is a step. At the step that is asked for meshd is killed, either
 * before the command runs or right after.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const TOOLS = ["ip", "tc", "nft", "wg", "wireguard-go"];
const FOLDERS = ["/usr/sbin", "/sbin", "/usr/bin", "/bin", "/usr/local/bin"];

export class DeadlyTools {
  readonly folder: string;

  constructor(parent: string) {
    this.folder = join(parent, "deadly");
    mkdirSync(this.folder);
    for (const tool of TOOLS) {
      const real = FOLDERS.map((folder) => join(folder, tool)).find(existsSync);
      if (!real) continue;
      const file = join(this.folder, tool);
      writeFileSync(file, standIn(real, this.folder));
      chmodSync(file, 0o755);
    }
    this.arm(0);
  }

  /** Counts from 0 again. Kills at step ⌈half / 2⌉: before it where `half` is odd, after it where even; 0: never. */
  arm(half: number): void {
    writeFileSync(join(this.folder, "count"), "0\n");
    writeFileSync(join(this.folder, "target"), `${half}\n`);
  }

  get steps(): number {
    return Number(readFileSync(join(this.folder, "count"), "utf8"));
  }
}

const standIn = (real: string, folder: string): string => `#!/bin/sh
step() {
  {
    flock 9
    read -r count <"${folder}/count"
    count=$((count + 1))
    echo "$count" >"${folder}/count"
  } 9>"${folder}/lock"
  read -r target <"${folder}/target"
  case $target in
    $((2 * count - 1))) kill -9 "$PPID"; exit 1 ;;
    $((2 * count))) dies_after=yes ;;
  esac
}
after() { [ -z "$dies_after" ] || kill -9 "$PPID"; }

# A long-lived batch: each line is a step.
if [ "$1 $2 $3" = "-force -batch -" ]; then
  while IFS= read -r line; do
    step
    printf '%s\\n' "$line"
    after
  done | ${real} "$@"
  exit
fi
step
# What does not end by itself is replaced, so that it gets the signals.
case "${real} $*" in
  */wireguard-go*|*monitor*) after; exec ${real} "$@" ;;
esac
${real} "$@"
status=$?
after
exit $status
`;
