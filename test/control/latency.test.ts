import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { LatencyTable } from "../../agent/control/latency.ts";
import type { RegionId } from "../../agent/model/ids.ts";
import type { Region } from "../../agent/model/region.ts";

describe("control/latency", () => {
  let server: Server;
  let asked = 0;
  let status = 204;
  before(async () => {
    server = createServer((_, response) => {
      asked++;
      response.writeHead(status).end();
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
  });
  after(() => server.close());

  const region = () =>
    ({
      id: 1 as RegionId,
      controlUrls: [`http://127.0.0.1:${(server.address() as AddressInfo).port}`],
    }) as unknown as Region;
  const signal = new AbortController().signal;

  it("a region that does not answer is not tried again for everybody who asks", async () => {
    const table = new LatencyTable();
    status = 503;
    const [first] = await table.measure([region()], 60_000, signal);
    assert.equal(first?.rttMicros, null);
    const before = asked;
    for (let time = 0; time < 20; time++) await table.measure([region()], 0, signal);
    assert.equal(asked, before);
  });

  it("an answer is remembered as long as the asker likes", async () => {
    const table = new LatencyTable();
    status = 204;
    const [first] = await table.measure([region()], 60_000, signal);
    assert.ok(first?.rttMicros);
    const before = asked;
    await table.measure([region()], 60_000, signal);
    assert.equal(asked, before);
    await table.measure([region()], 0, signal);
    assert.ok(asked > before);
  });
});
