// Generated from the build by scripts/generate-abi.ts.

/** Storage slot and offset in bytes; of members from the start of their struct. */
export const storageLayout = {
  Reputation: {
    sellers: { slot: 0, offset: 0 },
    checkpoints: { slot: 1, offset: 0 },
    pairs: { slot: 2, offset: 0 },
    creditSuspensions: { slot: 3, offset: 0 },
    SellerState: { delivered: { slot: 0, offset: 0 }, failed: { slot: 0, offset: 12 }, day: { slot: 0, offset: 24 } },
    PairState: { delivered: { slot: 0, offset: 0 }, failed: { slot: 0, offset: 12 }, day: { slot: 0, offset: 24 } },
  },
  Membership: {
    regionCount: { slot: 0, offset: 21 },
    records: { slot: 2, offset: 0 },
    Record: {
      treasury: { slot: 0, offset: 0 },
      pendingTreasury: { slot: 1, offset: 0 },
      agent: { slot: 2, offset: 0 },
      routingKey: { slot: 3, offset: 0 },
      name: { slot: 4, offset: 0 },
      prefixes: { slot: 5, offset: 0 },
      controlUrls: { slot: 6, offset: 0 },
    },
  },
} as const;

/** First topic of each event. */
export const eventTopics = {
  LeaseRecorded: "0x1625794389c24b14aeb0759e635fa87afeb8557b698b60c83ddf6c36575ca48c",
  CreditSuspended: "0x1bfb9bdda91763ac9a69b2405d89fcccda5eb17d16648d914b713b1964b4e6d9",
  LeaseSettled: "0xc2f9c05d837626a35207c3af6d5eb67d326edc5c022402fc5ca29bae2d4cd721",
} as const;
