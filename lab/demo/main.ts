/** `scripts/demo`: runs the demo, prints and writes its figures; --keep leaves the regions running until Ctrl-C. */
import { writeFile } from "node:fs/promises";
import Table from "cli-table3";
import { EXIT } from "../../agent/cli/exit-codes.ts";
import { describeError } from "../../agent/model/errors.ts";
import { readTopology } from "../layout/topology.ts";
import { JSON_FILE, optionsOf } from "../options.ts";
import { withLab } from "../with-lab.ts";
import { runDemo } from "./demo.ts";
import { figuresTable } from "./figures.ts";

const values = optionsOf(
  {
    name: "scripts/demo",
    summary:
      "One event from trigger to reputation, between six regions in network namespaces, with a cable cut in between.",
    duration: "about 2 minutes",
    needs: "root, or a kernel that allows user namespaces; scripts/bootstrap lab installs the tools",
  },
  {
    json: JSON_FILE,
    keep: { type: "boolean", default: false, description: "leave everything running until Ctrl-C" },
  },
);
const topology = await readTopology(new URL("../topologies/six-clouds.json", import.meta.url).pathname);
const tell = (line: string) => console.log(line);
try {
  await withLab({ topology }, async (lab, signal) => {
    const hub = "eu-central-1";
    const figures = await runDemo(lab, { hub, receiver: "eu-north-1", file: process.execPath, tell }, signal);
    const table = new Table({
      head: ["measured", ""],
      style: { head: [], border: [] },
      chars: { mid: "", "left-mid": "", "mid-mid": "", "right-mid": "" },
    });
    table.push(...figuresTable(figures).map((row) => [...row]));
    console.log(`\n${table.toString()}`);
    const setup = process.env.EPHEMESH_SETUP_SECONDS;
    if (setup !== undefined) console.log(`Set-up before the demo (Node, packages, tools): ${setup} s`);
    if (values.json) await writeFile(values.json, `${JSON.stringify(figures, null, 2)}\n`);
    if (!values.keep) return;
    console.log(
      `\nThe regions keep running as lab ${lab.id}. In another shell:\n  node lab/main.ts exec ${lab.id} ${hub} scripts/ephemesh status --config ${lab.dir.path}/sites/${hub}/ephemesh.yaml\nCtrl-C ends the lab and removes it.`,
    );
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  });
} catch (error) {
  if ((error as { code?: string }).code === "INTERRUPTED") console.error("\nInterrupted. The lab was removed.");
  else {
    console.error(describeError(error));
    process.exitCode = EXIT.failed;
  }
}
