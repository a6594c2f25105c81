import { strict as assert } from "node:assert";
import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import express from "express";
import { refuseOtherBodies } from "../../agent/api/requests.ts";

describe("api/requests", () => {
  let server: Server;
  let url: string;

  before(async () => {
    const app = express();
    app.use(express.json(), refuseOtherBodies);
    app.post("/", (request, response) => void response.json(request.body ?? "none"));
    app.use((error: Error, _: express.Request, response: express.Response, _next: express.NextFunction) => {
      response.status(400).json(error.message);
    });
    server = createServer(app).listen(0, "127.0.0.1");
    await once(server, "listening");
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  });
  after(() => server.close());

  const post = async (body: string | null, type?: string): Promise<unknown> =>
    (await fetch(url, { method: "POST", body, ...(type && { headers: { "content-type": type } }) })).json();

  it("JSON is read, and nothing at all is nothing", async () => {
    assert.deepEqual(await post('{"draining":false}', "application/json"), { draining: false });
    assert.equal(await post(null), "none");
  });

  it("what is sent as anything else is refused, not taken for nothing", async () => {
    for (const type of ["application/x-www-form-urlencoded", "text/plain", undefined])
      assert.match(String(await post('{"draining":false}', type)), /not JSON/);
  });
});
