import { strict as assert } from "node:assert";
import { TestNetwork } from "./helpers/network.ts";

const INFO = 30;

describe("meshd: log level", function () {
  this.timeout(60_000);
  let network: TestNetwork;
  afterEach(async () => network?.down());

  /** Of the lines that one life without any mesh logs. */
  async function levels(logLevel: "info" | "warn"): Promise<readonly number[]> {
    network = await TestNetwork.up(1, { logLevel });
    await network.start(1);
    await network.stop(1);
    return network.log(1).map(({ level }) => level);
  }

  it("at `info` meshd says that it runs and that it stopped", async () => {
    assert.deepEqual(await levels("info"), [INFO, INFO]);
  });

  it("at `warn` it logs neither", async () => {
    assert.deepEqual(await levels("warn"), []);
  });
});
