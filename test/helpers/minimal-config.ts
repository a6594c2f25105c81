/** The smallest configuration that is accepted; its files are relative to the folder that it is in. */
export const MINIMAL_CONFIG = `region: here
stateDir: state
runDir: run
chain: { rpc: ["http://127.0.0.1:8545"], deployment: deployment }
keys: { agent: agent.key, routing: routing.key }
control: { listen: "127.0.0.1:7357" }
underlays:
  - { name: ix, fabric: ix, device: ix0, address: 192.0.2.10, endpoint: 192.0.2.10, ports: 51820-51919, spareMbps: 800 }
primary: [{ name: peering, device: up0, capacityMbps: 100 }]
`;
