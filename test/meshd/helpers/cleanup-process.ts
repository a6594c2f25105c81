/** Cleaning up by marks alone, in a process that knows nothing else. */
import { removeEverythingOfOurs, removeSteering } from "../../../agent/meshd/kernel/cleanup.ts";

const done = process.argv[2] === "steering" ? await removeSteering() : await removeEverythingOfOurs();
process.stdout.write(JSON.stringify(done ?? {}));
