/** What `ephemesh doctor` asks of the machine, and finds wrong. */
import { REQUIREMENTS } from "../../../agent/meshd/kernel/requirements.ts";
import { EphemeshError } from "../../../agent/model/errors.ts";

for (const { name, check } of REQUIREMENTS) {
  await check().catch((error: unknown) => {
    const code = error instanceof EphemeshError ? error.code : "UNEXPECTED";
    console.log(`${name}: ${code}: ${error instanceof Error ? error.message : error}`);
  });
}
