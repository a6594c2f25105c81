import assert from "node:assert/strict";
import { residentBytes } from "../../lab/process/process-use.ts";

describe("memory of several processes", () => {
  it("counts private memory of each process, and memory shared by processes of one program once", () => {
    const node = { program: "/usr/bin/node", privateBytes: 50, fileBytes: 40 };
    assert.equal(residentBytes([node]), 90);
    assert.equal(residentBytes([node, { ...node, privateBytes: 60, fileBytes: 30 }]), 150);
    assert.equal(residentBytes([node, { program: "/usr/bin/wireguard-go", privateBytes: 5, fileBytes: 3 }]), 98);
  });
});
