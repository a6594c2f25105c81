import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { operatorToken } from "../../agent/api/token.ts";

describe("api/token", () => {
  const file = join(mkdtempSync(join(tmpdir(), "ephemesh-token-")), "token");

  it("a token that is empty or could be guessed opens nothing", () => {
    writeFileSync(file, "\n", { mode: 0o600 });
    assert.throws(() => operatorToken(file), { code: "SECRET_EMPTY" });
    writeFileSync(file, "fifteen bytes..\n");
    assert.throws(() => operatorToken(file), { code: "TOKEN_WEAK" });
    writeFileSync(file, "sixteen bytes...\n");
    assert.equal(operatorToken(file).length, 16);
  });
});
