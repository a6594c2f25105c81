// Generated from the build by scripts/generate-abi.ts.
export const membershipAbi = [
  { inputs: [{ name: "authority", type: "address" }], name: "AccessManagedInvalidAuthority", type: "error" },
  {
    inputs: [
      { name: "caller", type: "address" },
      { name: "delay", type: "uint32" },
    ],
    name: "AccessManagedRequiredDelay",
    type: "error",
  },
  { inputs: [{ name: "caller", type: "address" }], name: "AccessManagedUnauthorized", type: "error" },
  {
    inputs: [
      { name: "key", type: "address" },
      { name: "holder", type: "uint32" },
    ],
    name: "AgentKeyTaken",
    type: "error",
  },
  { inputs: [{ name: "regionId", type: "uint32" }], name: "AlreadySuspended", type: "error" },
  { inputs: [{ name: "field", type: "string" }], name: "MissingField", type: "error" },
  {
    inputs: [
      { name: "name", type: "string" },
      { name: "holder", type: "uint32" },
    ],
    name: "NameTaken",
    type: "error",
  },
  { inputs: [{ name: "squaredLength", type: "uint256" }], name: "NotAUnitVector", type: "error" },
  {
    inputs: [
      { name: "regionId", type: "uint32" },
      { name: "caller", type: "address" },
    ],
    name: "NotAuthorised",
    type: "error",
  },
  {
    inputs: [
      { name: "network", type: "uint128" },
      { name: "length", type: "uint8" },
    ],
    name: "NotCanonical",
    type: "error",
  },
  {
    inputs: [
      { name: "network", type: "uint128" },
      { name: "length", type: "uint8" },
    ],
    name: "NotHeld",
    type: "error",
  },
  {
    inputs: [
      { name: "regionId", type: "uint32" },
      { name: "caller", type: "address" },
    ],
    name: "NotPendingTreasury",
    type: "error",
  },
  { inputs: [{ name: "regionId", type: "uint32" }], name: "NotSuspended", type: "error" },
  {
    inputs: [
      { name: "regionId", type: "uint32" },
      { name: "caller", type: "address" },
    ],
    name: "NotTreasury",
    type: "error",
  },
  {
    inputs: [
      { name: "network", type: "uint128" },
      { name: "length", type: "uint8" },
      { name: "heldNetwork", type: "uint128" },
      { name: "heldLength", type: "uint8" },
      { name: "holder", type: "uint32" },
    ],
    name: "Overlap",
    type: "error",
  },
  {
    inputs: [
      { name: "key", type: "bytes32" },
      { name: "holder", type: "uint32" },
    ],
    name: "RoutingKeyTaken",
    type: "error",
  },
  { inputs: [{ name: "max", type: "uint256" }], name: "TooManyFabrics", type: "error" },
  { inputs: [{ name: "fabrics", type: "uint256" }], name: "UnknownFabric", type: "error" },
  { inputs: [{ name: "regionId", type: "uint32" }], name: "UnknownRegion", type: "error" },
  {
    anonymous: false,
    inputs: [
      { indexed: true, name: "regionId", type: "uint32" },
      { indexed: true, name: "previous", type: "address" },
      { indexed: true, name: "agent", type: "address" },
    ],
    name: "AgentReplaced",
    type: "event",
  },
  {
    anonymous: false,
    inputs: [{ indexed: false, name: "authority", type: "address" }],
    name: "AuthorityUpdated",
    type: "event",
  },
  {
    anonymous: false,
    inputs: [
      { indexed: true, name: "regionId", type: "uint32" },
      {
        components: [
          { name: "fabric", type: "uint8" },
          { name: "url", type: "string" },
        ],
        indexed: false,
        name: "controlUrls",
        type: "tuple[]",
      },
    ],
    name: "ControlUrlsReplaced",
    type: "event",
  },
  {
    anonymous: false,
    inputs: [
      { indexed: true, name: "fabric", type: "uint8" },
      { indexed: false, name: "name", type: "string" },
    ],
    name: "FabricAdded",
    type: "event",
  },
  {
    anonymous: false,
    inputs: [
      { indexed: true, name: "regionId", type: "uint32" },
      { indexed: false, name: "network", type: "uint128" },
      { indexed: false, name: "length", type: "uint8" },
    ],
    name: "PrefixAdded",
    type: "event",
  },
  {
    anonymous: false,
    inputs: [
      { indexed: true, name: "regionId", type: "uint32" },
      { indexed: false, name: "network", type: "uint128" },
      { indexed: false, name: "length", type: "uint8" },
    ],
    name: "PrefixRemoved",
    type: "event",
  },
  {
    anonymous: false,
    inputs: [
      { indexed: true, name: "regionId", type: "uint32" },
      { indexed: true, name: "organisation", type: "uint32" },
      {
        components: [
          { name: "name", type: "string" },
          { name: "organisation", type: "uint32" },
          { name: "treasury", type: "address" },
          { name: "agent", type: "address" },
          { name: "routingKey", type: "bytes32" },
          {
            components: [
              { name: "x", type: "int32" },
              { name: "y", type: "int32" },
              { name: "z", type: "int32" },
            ],
            name: "place",
            type: "tuple",
          },
          { name: "attributes", type: "uint32" },
          { name: "fabrics", type: "uint64" },
          {
            components: [
              { name: "network", type: "uint128" },
              { name: "length", type: "uint8" },
            ],
            name: "prefixes",
            type: "tuple[]",
          },
          {
            components: [
              { name: "fabric", type: "uint8" },
              { name: "url", type: "string" },
            ],
            name: "controlUrls",
            type: "tuple[]",
          },
        ],
        indexed: false,
        name: "admission",
        type: "tuple",
      },
    ],
    name: "RegionAdmitted",
    type: "event",
  },
  {
    anonymous: false,
    inputs: [
      { indexed: true, name: "regionId", type: "uint32" },
      { indexed: true, name: "organisation", type: "uint32" },
      {
        components: [
          { name: "x", type: "int32" },
          { name: "y", type: "int32" },
          { name: "z", type: "int32" },
        ],
        indexed: false,
        name: "place",
        type: "tuple",
      },
      { indexed: false, name: "attributes", type: "uint32" },
      { indexed: false, name: "fabrics", type: "uint64" },
    ],
    name: "RegionAttested",
    type: "event",
  },
  {
    anonymous: false,
    inputs: [{ indexed: true, name: "regionId", type: "uint32" }],
    name: "RegionReinstated",
    type: "event",
  },
  {
    anonymous: false,
    inputs: [{ indexed: true, name: "regionId", type: "uint32" }],
    name: "RegionSuspended",
    type: "event",
  },
  {
    anonymous: false,
    inputs: [
      { indexed: true, name: "regionId", type: "uint32" },
      { indexed: false, name: "previous", type: "bytes32" },
      { indexed: false, name: "routingKey", type: "bytes32" },
    ],
    name: "RoutingKeyReplaced",
    type: "event",
  },
  {
    anonymous: false,
    inputs: [
      { indexed: true, name: "regionId", type: "uint32" },
      { indexed: true, name: "treasury", type: "address" },
    ],
    name: "TreasuryProposed",
    type: "event",
  },
  {
    anonymous: false,
    inputs: [
      { indexed: true, name: "regionId", type: "uint32" },
      { indexed: true, name: "previous", type: "address" },
      { indexed: true, name: "treasury", type: "address" },
    ],
    name: "TreasuryReplaced",
    type: "event",
  },
  {
    inputs: [{ name: "regionId", type: "uint32" }],
    name: "acceptTreasury",
    outputs: [],
    stateMutability: "nonpayable",
    type: "function",
  },
  {
    inputs: [{ name: "name", type: "string" }],
    name: "addFabric",
    outputs: [{ name: "fabric", type: "uint8" }],
    stateMutability: "nonpayable",
    type: "function",
  },
  {
    inputs: [
      { name: "regionId", type: "uint32" },
      {
        components: [
          { name: "network", type: "uint128" },
          { name: "length", type: "uint8" },
        ],
        name: "prefix",
        type: "tuple",
      },
    ],
    name: "addPrefix",
    outputs: [],
    stateMutability: "nonpayable",
    type: "function",
  },
  {
    inputs: [
      {
        components: [
          { name: "name", type: "string" },
          { name: "organisation", type: "uint32" },
          { name: "treasury", type: "address" },
          { name: "agent", type: "address" },
          { name: "routingKey", type: "bytes32" },
          {
            components: [
              { name: "x", type: "int32" },
              { name: "y", type: "int32" },
              { name: "z", type: "int32" },
            ],
            name: "place",
            type: "tuple",
          },
          { name: "attributes", type: "uint32" },
          { name: "fabrics", type: "uint64" },
          {
            components: [
              { name: "network", type: "uint128" },
              { name: "length", type: "uint8" },
            ],
            name: "prefixes",
            type: "tuple[]",
          },
          {
            components: [
              { name: "fabric", type: "uint8" },
              { name: "url", type: "string" },
            ],
            name: "controlUrls",
            type: "tuple[]",
          },
        ],
        name: "admission",
        type: "tuple",
      },
    ],
    name: "admit",
    outputs: [{ name: "regionId", type: "uint32" }],
    stateMutability: "nonpayable",
    type: "function",
  },
  {
    inputs: [
      { name: "regionId", type: "uint32" },
      { name: "organisation", type: "uint32" },
      {
        components: [
          { name: "x", type: "int32" },
          { name: "y", type: "int32" },
          { name: "z", type: "int32" },
        ],
        name: "place",
        type: "tuple",
      },
      { name: "attributes", type: "uint32" },
      { name: "fabrics_", type: "uint64" },
    ],
    name: "attest",
    outputs: [],
    stateMutability: "nonpayable",
    type: "function",
  },
  {
    inputs: [{ name: "regionId", type: "uint32" }],
    name: "attestationOf",
    outputs: [{ name: "", type: "uint256" }],
    stateMutability: "view",
    type: "function",
  },
  {
    inputs: [],
    name: "authority",
    outputs: [{ name: "", type: "address" }],
    stateMutability: "view",
    type: "function",
  },
  {
    inputs: [],
    name: "fabrics",
    outputs: [{ name: "names", type: "string[]" }],
    stateMutability: "view",
    type: "function",
  },
  {
    inputs: [{ name: "ip", type: "uint128" }],
    name: "holderOf",
    outputs: [
      { name: "regionId", type: "uint32" },
      {
        components: [
          { name: "network", type: "uint128" },
          { name: "length", type: "uint8" },
        ],
        name: "prefix",
        type: "tuple",
      },
    ],
    stateMutability: "view",
    type: "function",
  },
  {
    inputs: [],
    name: "isConsumingScheduledOp",
    outputs: [{ name: "", type: "bytes4" }],
    stateMutability: "view",
    type: "function",
  },
  {
    inputs: [{ name: "regionId", type: "uint32" }],
    name: "isRegion",
    outputs: [{ name: "known", type: "bool" }],
    stateMutability: "view",
    type: "function",
  },
  {
    inputs: [
      { name: "regionId", type: "uint32" },
      { name: "treasury", type: "address" },
    ],
    name: "proposeTreasury",
    outputs: [],
    stateMutability: "nonpayable",
    type: "function",
  },
  {
    inputs: [{ name: "regionId", type: "uint32" }],
    name: "region",
    outputs: [
      {
        components: [
          { name: "id", type: "uint32" },
          { name: "name", type: "string" },
          { name: "organisation", type: "uint32" },
          { name: "treasury", type: "address" },
          { name: "pendingTreasury", type: "address" },
          { name: "agent", type: "address" },
          { name: "routingKey", type: "bytes32" },
          {
            components: [
              { name: "x", type: "int32" },
              { name: "y", type: "int32" },
              { name: "z", type: "int32" },
            ],
            name: "place",
            type: "tuple",
          },
          { name: "attributes", type: "uint32" },
          { name: "fabrics", type: "uint64" },
          { name: "suspended", type: "bool" },
          {
            components: [
              { name: "network", type: "uint128" },
              { name: "length", type: "uint8" },
            ],
            name: "prefixes",
            type: "tuple[]",
          },
          {
            components: [
              { name: "fabric", type: "uint8" },
              { name: "url", type: "string" },
            ],
            name: "controlUrls",
            type: "tuple[]",
          },
        ],
        name: "found",
        type: "tuple",
      },
    ],
    stateMutability: "view",
    type: "function",
  },
  {
    inputs: [{ name: "agent", type: "address" }],
    name: "regionByAgent",
    outputs: [{ name: "regionId", type: "uint32" }],
    stateMutability: "view",
    type: "function",
  },
  {
    inputs: [{ name: "nameHash", type: "bytes32" }],
    name: "regionByName",
    outputs: [{ name: "regionId", type: "uint32" }],
    stateMutability: "view",
    type: "function",
  },
  {
    inputs: [{ name: "routingKey", type: "bytes32" }],
    name: "regionByRoutingKey",
    outputs: [{ name: "regionId", type: "uint32" }],
    stateMutability: "view",
    type: "function",
  },
  {
    inputs: [],
    name: "regionCount",
    outputs: [{ name: "", type: "uint32" }],
    stateMutability: "view",
    type: "function",
  },
  {
    inputs: [{ name: "regionId", type: "uint32" }],
    name: "reinstate",
    outputs: [],
    stateMutability: "nonpayable",
    type: "function",
  },
  {
    inputs: [
      { name: "regionId", type: "uint32" },
      {
        components: [
          { name: "network", type: "uint128" },
          { name: "length", type: "uint8" },
        ],
        name: "prefix",
        type: "tuple",
      },
    ],
    name: "removePrefix",
    outputs: [],
    stateMutability: "nonpayable",
    type: "function",
  },
  {
    inputs: [
      { name: "regionId", type: "uint32" },
      { name: "agent", type: "address" },
    ],
    name: "replaceAgent",
    outputs: [],
    stateMutability: "nonpayable",
    type: "function",
  },
  {
    inputs: [
      { name: "regionId", type: "uint32" },
      {
        components: [
          { name: "fabric", type: "uint8" },
          { name: "url", type: "string" },
        ],
        name: "controlUrls",
        type: "tuple[]",
      },
    ],
    name: "replaceControlUrls",
    outputs: [],
    stateMutability: "nonpayable",
    type: "function",
  },
  {
    inputs: [
      { name: "regionId", type: "uint32" },
      { name: "routingKey", type: "bytes32" },
    ],
    name: "replaceRoutingKey",
    outputs: [],
    stateMutability: "nonpayable",
    type: "function",
  },
  {
    inputs: [
      { name: "regionId", type: "uint32" },
      { name: "caller", type: "address" },
    ],
    name: "roleAndAttestationOf",
    outputs: [
      { name: "role", type: "uint8" },
      { name: "attestation", type: "uint256" },
    ],
    stateMutability: "view",
    type: "function",
  },
  {
    inputs: [
      { name: "regionId", type: "uint32" },
      { name: "caller", type: "address" },
    ],
    name: "roleOf",
    outputs: [{ name: "role", type: "uint8" }],
    stateMutability: "view",
    type: "function",
  },
  {
    inputs: [{ name: "newAuthority", type: "address" }],
    name: "setAuthority",
    outputs: [],
    stateMutability: "nonpayable",
    type: "function",
  },
  {
    inputs: [
      { name: "regionId", type: "uint32" },
      { name: "key", type: "address" },
      { name: "since", type: "uint40" },
    ],
    name: "signedFor",
    outputs: [{ name: "valid", type: "bool" }],
    stateMutability: "view",
    type: "function",
  },
  {
    inputs: [{ name: "regionId", type: "uint32" }],
    name: "suspend",
    outputs: [],
    stateMutability: "nonpayable",
    type: "function",
  },
  {
    inputs: [{ name: "regionId", type: "uint32" }],
    name: "treasuryOf",
    outputs: [{ name: "treasury", type: "address" }],
    stateMutability: "view",
    type: "function",
  },
  { inputs: [{ name: "operationId", type: "bytes32" }], name: "AccessManagerAlreadyScheduled", type: "error" },
  { inputs: [], name: "AccessManagerBadConfirmation", type: "error" },
  { inputs: [{ name: "operationId", type: "bytes32" }], name: "AccessManagerExpired", type: "error" },
  { inputs: [{ name: "initialAdmin", type: "address" }], name: "AccessManagerInvalidInitialAdmin", type: "error" },
  { inputs: [{ name: "selector", type: "bytes4" }], name: "AccessManagerLockedFunction", type: "error" },
  { inputs: [{ name: "roleId", type: "uint64" }], name: "AccessManagerLockedRole", type: "error" },
  { inputs: [{ name: "operationId", type: "bytes32" }], name: "AccessManagerNotReady", type: "error" },
  { inputs: [{ name: "operationId", type: "bytes32" }], name: "AccessManagerNotScheduled", type: "error" },
  {
    inputs: [
      { name: "msgsender", type: "address" },
      { name: "roleId", type: "uint64" },
    ],
    name: "AccessManagerUnauthorizedAccount",
    type: "error",
  },
  {
    inputs: [
      { name: "caller", type: "address" },
      { name: "target", type: "address" },
      { name: "selector", type: "bytes4" },
    ],
    name: "AccessManagerUnauthorizedCall",
    type: "error",
  },
  {
    inputs: [
      { name: "msgsender", type: "address" },
      { name: "caller", type: "address" },
      { name: "target", type: "address" },
      { name: "selector", type: "bytes4" },
    ],
    name: "AccessManagerUnauthorizedCancel",
    type: "error",
  },
  { inputs: [{ name: "target", type: "address" }], name: "AccessManagerUnauthorizedConsume", type: "error" },
  { inputs: [{ name: "target", type: "address" }], name: "AddressEmptyCode", type: "error" },
  { inputs: [], name: "FailedCall", type: "error" },
  {
    inputs: [
      { name: "balance", type: "uint256" },
      { name: "needed", type: "uint256" },
    ],
    name: "InsufficientBalance",
    type: "error",
  },
  {
    inputs: [
      { name: "bits", type: "uint8" },
      { name: "value", type: "uint256" },
    ],
    name: "SafeCastOverflowedUintDowncast",
    type: "error",
  },
] as const;
