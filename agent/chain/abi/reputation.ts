// Generated from the build by scripts/generate-abi.ts.
export const reputationAbi = [
  {
    inputs: [
      { name: "regionId", type: "uint32" },
      { name: "day", type: "uint32" },
      { name: "settled", type: "uint32" },
    ],
    name: "DayBeforeSettlement",
    type: "error",
  },
  { inputs: [{ name: "caller", type: "address" }], name: "OnlyEscrow", type: "error" },
  {
    anonymous: false,
    inputs: [
      { indexed: true, name: "lower", type: "uint32" },
      { indexed: true, name: "higher", type: "uint32" },
      { indexed: false, name: "until", type: "uint40" },
    ],
    name: "CreditSuspended",
    type: "event",
  },
  {
    anonymous: false,
    inputs: [
      { indexed: true, name: "seller", type: "uint32" },
      { indexed: true, name: "buyer", type: "uint32" },
      { indexed: true, name: "leaseId", type: "bytes32" },
      { indexed: false, name: "delivered", type: "uint128" },
      { indexed: false, name: "failed", type: "uint128" },
      { indexed: false, name: "buyerBond", type: "uint64" },
      { indexed: false, name: "endDay", type: "uint32" },
      { indexed: false, name: "day", type: "uint32" },
      {
        components: [
          { name: "delivered", type: "uint96" },
          { name: "failed", type: "uint96" },
          { name: "day", type: "uint32" },
        ],
        indexed: false,
        name: "sellerState",
        type: "tuple",
      },
      {
        components: [
          { name: "delivered", type: "uint96" },
          { name: "failed", type: "uint96" },
          { name: "day", type: "uint32" },
        ],
        indexed: false,
        name: "pairState",
        type: "tuple",
      },
    ],
    name: "LeaseRecorded",
    type: "event",
  },
  {
    inputs: [{ name: "regionId", type: "uint32" }],
    name: "closingScore",
    outputs: [{ name: "score_", type: "uint16" }],
    stateMutability: "view",
    type: "function",
  },
  {
    inputs: [
      { name: "one", type: "uint32" },
      { name: "other", type: "uint32" },
    ],
    name: "creditSuspendedUntil",
    outputs: [{ name: "until", type: "uint40" }],
    stateMutability: "view",
    type: "function",
  },
  { inputs: [], name: "escrow", outputs: [{ name: "", type: "address" }], stateMutability: "view", type: "function" },
  { inputs: [], name: "fullBond", outputs: [{ name: "", type: "uint64" }], stateMutability: "view", type: "function" },
  {
    inputs: [
      { name: "seller", type: "uint32" },
      { name: "buyer", type: "uint32" },
    ],
    name: "pairState",
    outputs: [
      {
        components: [
          { name: "delivered", type: "uint96" },
          { name: "failed", type: "uint96" },
          { name: "day", type: "uint32" },
        ],
        name: "state",
        type: "tuple",
      },
    ],
    stateMutability: "view",
    type: "function",
  },
  {
    inputs: [
      { name: "seller", type: "uint32" },
      { name: "buyer", type: "uint32" },
      { name: "leaseId", type: "bytes32" },
      { name: "delivered", type: "uint128" },
      { name: "failed", type: "uint128" },
      { name: "buyerBond", type: "uint64" },
      { name: "endDay", type: "uint32" },
      { name: "contested", type: "bool" },
    ],
    name: "record",
    outputs: [],
    stateMutability: "nonpayable",
    type: "function",
  },
  {
    inputs: [{ name: "regionId", type: "uint32" }],
    name: "score",
    outputs: [{ name: "score_", type: "uint32" }],
    stateMutability: "view",
    type: "function",
  },
  {
    inputs: [
      { name: "regionId", type: "uint32" },
      { name: "day", type: "uint32" },
    ],
    name: "scoreAt",
    outputs: [{ name: "score_", type: "uint32" }],
    stateMutability: "view",
    type: "function",
  },
  {
    inputs: [{ name: "regionId", type: "uint32" }],
    name: "sellerState",
    outputs: [
      {
        components: [
          { name: "delivered", type: "uint96" },
          { name: "failed", type: "uint96" },
          { name: "day", type: "uint32" },
        ],
        name: "current",
        type: "tuple",
      },
      {
        components: [
          { name: "delivered", type: "uint96" },
          { name: "failed", type: "uint96" },
          { name: "day", type: "uint32" },
        ],
        name: "checkpoint",
        type: "tuple",
      },
    ],
    stateMutability: "view",
    type: "function",
  },
] as const;
