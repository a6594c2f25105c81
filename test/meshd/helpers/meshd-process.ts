/** meshd as a process of its own, as the command line runs it: for tests that kill it. */
import { readFileSync } from "node:fs";
import { runMeshd } from "../../../agent/meshd/main.ts";
import { meshdConfig } from "../../../agent/model/meshd-messages.ts";

const ending = new AbortController();
process.once("SIGTERM", () => ending.abort());
await runMeshd(meshdConfig.parse(JSON.parse(readFileSync(process.argv[2] ?? "", "utf8"))), ending.signal);
