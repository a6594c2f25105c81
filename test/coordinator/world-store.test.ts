import assert from "node:assert/strict";
import { mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Message } from "../../agent/coordinator/messages.ts";
import { emptyWorld, fold } from "../../agent/coordinator/reduce.ts";
import { loadWorld, REDUCER_SOURCES, SNAPSHOT_MESSAGES } from "../../agent/coordinator/world-store.ts";
import { Journal } from "../../agent/journal/journal.ts";
import { auctionId, meshId, regionId } from "../../agent/model/ids.ts";

const fresh = () => Journal.open(join(mkdtempSync(join(tmpdir(), "ephemesh-")), "journal.sqlite"));

const opened = (id: number): Message => ({
  type: "AuctionOpened",
  eventId: null,
  terms: {
    id: auctionId.parse(id),
    mesh: meshId.parse(id),
    opener: regionId.parse(2),
    kind: "surge",
    fabric: "ix",
    place: { x: 1e9, y: 0, z: 0 },
    cosine: 0,
    attributes: 0,
    latencyBoundMicros: 1,
    lotMbps: 10,
    slots: 5,
    earliestStartSeconds: 0,
    priceCap: 10,
    openBlock: id,
    openedAtSeconds: id,
    phaseBlocks: 5,
  },
});
const declined = (id: number): Message => ({ type: "OrderDeclined", auctionId: auctionId.parse(id), reason: "no" });

/** Auctions in blocks first, first + 1 …, and one answer of our own. */
function fill(journal: Journal, first: number, auctions: number): void {
  const ids = Array.from({ length: auctions }, (_, i) => first + i);
  journal.appendBlocks(
    ids.map((id) => ({ block: id, body: opened(id) })),
    ids.map((id) => ({ blockNumber: id, blockHash: `0x${id}` })),
  );
  journal.append(declined(first));
}

const unwarned = (error: unknown) => assert.fail(String(error));

const folded = (journal: Journal) =>
  fold(
    emptyWorld,
    journal.messages().map(({ body }) => body as Message),
  );

describe("the coordinator's state on disk", function () {
  this.timeout(60_000);

  it("after a snapshot only the messages behind it are folded, to the same state", () => {
    const journal = fresh();
    fill(journal, 1, SNAPSHOT_MESSAGES);
    loadWorld(journal, unwarned);
    fill(journal, SNAPSHOT_MESSAGES + 1, 10);
    const asked: number[] = [];
    const world = loadWorld(
      {
        messages: (after) => {
          asked.push(after ?? 0);
          return journal.messages(after);
        },
        snapshot: (writer) => journal.snapshot(writer),
        saveSnapshot: () => assert.fail("so soon after the last snapshot none is saved"),
      },
      unwarned,
    );
    assert.deepEqual(asked, [SNAPSHOT_MESSAGES + 1]);
    assert.deepEqual(world, folded(journal));
  });

  it("where a snapshot cannot be saved, the state is loaded all the same", () => {
    const journal = fresh();
    fill(journal, 1, SNAPSHOT_MESSAGES);
    const full = new Error("the disk is full");
    journal.saveSnapshot = () => {
      throw full;
    };
    const warnings: unknown[] = [];
    assert.deepEqual(
      loadWorld(journal, (error) => warnings.push(error)),
      folded(journal),
    );
    assert.deepEqual(warnings, [full]);
  });

  it("a reorganisation below a snapshot does without it, one above it keeps it", () => {
    const journal = fresh();
    fill(journal, 1, SNAPSHOT_MESSAGES);
    loadWorld(journal, unwarned);
    const writer = "world";
    journal.saveSnapshot({ sequence: 3, writer, body: Buffer.from("early") });
    fill(journal, SNAPSHOT_MESSAGES + 1, 5);
    journal.saveSnapshot({ sequence: SNAPSHOT_MESSAGES + 5, writer, body: Buffer.from("late") });
    journal.rewindTo(SNAPSHOT_MESSAGES + 1);
    assert.deepEqual(journal.snapshot(writer)?.sequence, 3);
    journal.rewindTo(1);
    assert.equal(journal.snapshot(writer), null);
    assert.deepEqual(loadWorld(journal, unwarned), folded(journal));
  });

  it("is read again only while every file that the reducer takes values from is the same", () => {
    const reached = new Set<string>();
    const follow = (file: URL): void => {
      if (reached.has(file.href)) return;
      reached.add(file.href);
      for (const [, names, path] of readFileSync(file, "utf8").matchAll(/^import \{([^}]*)\} from "(\.[^"]*)";$/gm))
        if (names!.split(",").some((name) => name.trim() !== "" && !/^type\b/.test(name.trim())))
          follow(new URL(path!, file));
    };
    const folder = new URL("../../agent/coordinator/", import.meta.url);
    follow(new URL("./reduce.ts", folder));
    assert.deepEqual([...reached].sort(), REDUCER_SOURCES.map((path) => new URL(path, folder).href).sort());
  });

  it("a snapshot that cannot be read, or that another program version made, costs a fold of all and nothing else", () => {
    const journal = fresh();
    fill(journal, 1, 3);
    const saved: string[] = [];
    const world = loadWorld(
      {
        messages: (after) => journal.messages(after),
        snapshot: (writer) => {
          saved.push(writer);
          return { sequence: 4, writer, body: Buffer.from("garbage") };
        },
        saveSnapshot: () => undefined,
      },
      unwarned,
    );
    assert.deepEqual(world, folded(journal));
    journal.saveSnapshot({ sequence: 4, writer: "another", body: Buffer.from("garbage") });
    assert.equal(journal.snapshot(saved[0]!), null);
    assert.deepEqual(loadWorld(journal, unwarned), folded(journal));
  });
});
