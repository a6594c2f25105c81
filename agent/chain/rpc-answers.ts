/**
 * What an RPC node's answer must look like before anything is concluded from it. Methods that are not listed here are
 * checked by their reader. A node that answers otherwise is malformed, and another one is asked.
 */
import { z } from "zod";

const quantity = z.string().regex(/^0x(0|[1-9a-f][0-9a-f]*)$/i);
const data = z.string().regex(/^0x([0-9a-f]{2})*$/i);
const hash = z.string().regex(/^0x[0-9a-f]{64}$/i);
const address = z.string().regex(/^0x[0-9a-f]{40}$/i);

const block = z.looseObject({
  number: quantity,
  hash,
  parentHash: hash,
  timestamp: quantity,
  logsBloom: z.string().regex(/^0x[0-9a-f]{512}$/i),
  receiptsRoot: hash,
});
const log = z.looseObject({
  address,
  topics: z.array(hash).max(4),
  data,
  blockNumber: quantity,
  blockHash: hash,
  transactionHash: hash,
  logIndex: quantity,
});
const receipt = z.looseObject({
  transactionHash: hash,
  blockNumber: quantity,
  blockHash: hash,
  status: z.enum(["0x0", "0x1"]),
  logs: z.array(log),
});

type Check = (result: unknown, params: readonly unknown[]) => string | null;

const CHECKS: Readonly<Record<string, Check>> = {
  eth_chainId: shaped(quantity),
  eth_blockNumber: shaped(quantity),
  eth_gasPrice: shaped(quantity),
  eth_estimateGas: shaped(quantity),
  eth_getTransactionCount: shaped(quantity),
  eth_getCode: shaped(data),
  eth_call: shaped(data),
  eth_sendRawTransaction: shaped(hash),
  eth_getBlockByNumber: (result, [asked]) => {
    if (result === null) return typeof asked === "string" && /^0x/.test(asked) ? null : `no ${String(asked)} block`;
    const problem = shaped(block)(result, []);
    if (problem) return problem;
    const { number } = result as z.infer<typeof block>;
    return typeof asked === "string" && /^0x/.test(asked) && BigInt(number) !== BigInt(asked)
      ? `block ${BigInt(number)} instead of ${BigInt(asked)}`
      : null;
  },
  eth_getBlockByHash: (result, [asked]) =>
    result === null ? null : (shaped(block)(result, []) ?? sameHash((result as z.infer<typeof block>).hash, asked)),
  eth_getTransactionReceipt: (result, [asked]) =>
    result === null
      ? null
      : (shaped(receipt)(result, []) ?? sameHash((result as z.infer<typeof receipt>).transactionHash, asked)),
  eth_getLogs: (result, [filter]) => {
    const problem = shaped(z.array(log))(result, []);
    if (problem) return problem;
    return logsOutside(result as readonly z.infer<typeof log>[], filter);
  },
};

/** Null, or what is wrong with a node's `result` for a call. Pure. */
export function problemOf(method: string, params: readonly unknown[], result: unknown): string | null {
  return CHECKS[method]?.(result, params) ?? null;
}

function shaped(schema: z.ZodType): Check {
  return (result) => {
    const parsed = schema.safeParse(result);
    if (parsed.success) return null;
    const [issue] = parsed.error.issues;
    const at = issue?.path.join(".");
    return `${at ? `${at}: ` : ""}${issue?.message ?? "not as specified"}`;
  };
}

function sameHash(found: string, asked: unknown): string | null {
  return found.toLowerCase() === String(asked).toLowerCase() ? null : `${found} instead of ${String(asked)}`;
}

/** A log of a block that was not asked for. */
function logsOutside(logs: readonly z.infer<typeof log>[], filter: unknown): string | null {
  const { blockHash, fromBlock, toBlock } = (filter ?? {}) as Readonly<Record<string, string | undefined>>;
  const isNumber = (text: string | undefined): text is string => text !== undefined && /^0x/.test(text);
  for (const { blockHash: hashOfLog, blockNumber } of logs) {
    if (blockHash && hashOfLog.toLowerCase() !== blockHash.toLowerCase()) return "a log of another block";
    const number = BigInt(blockNumber);
    if ((isNumber(fromBlock) && number < BigInt(fromBlock)) || (isNumber(toBlock) && number > BigInt(toBlock)))
      return `a log of block ${number}`;
  }
  return null;
}
