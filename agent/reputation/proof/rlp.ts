/**
 * RLP (Ethereum yellow paper, appendix B), without copying bytes: an audit decodes hundreds of megabytes of receipts. The
 * decoder accepts only the canonical encoding of a value.
 */
export type Rlp = Uint8Array | readonly Rlp[];

/** Bytes to encode may also be hexadecimal text "0x…", as a node gives them. */
export type RlpSource = Uint8Array | string | readonly RlpSource[];

/** @throws Error if the bytes are not exactly one value in canonical encoding. */
export function decodeRlp(bytes: Uint8Array): Rlp {
  const [value, end] = decodeAt(bytes, 0, bytes.length);
  if (end !== bytes.length) throw new Error("bytes follow the RLP value");
  return value;
}

/** @throws Error if a text is not hexadecimal. */
export function encodeRlp(value: RlpSource): Uint8Array {
  const out = Buffer.allocUnsafe(sizeOf(value));
  write(value, out, 0);
  return out;
}

/** @throws Error if the value is a list. */
export function bytesOf(value: Rlp | undefined): Uint8Array {
  if (!(value instanceof Uint8Array)) throw new Error("expected RLP bytes, found a list");
  return value;
}

/** @throws Error if the value is not a list, or does not have `length` items. */
export function listOf(value: Rlp | undefined, length?: number): readonly Rlp[] {
  if (value === undefined || value instanceof Uint8Array) throw new Error("expected an RLP list, found bytes");
  if (length !== undefined && value.length !== length)
    throw new Error(`an RLP list has ${value.length} items instead of ${length}`);
  return value;
}

/** Big-endian without leading zeros; 0 is the empty string. */
export function encodeScalar(value: bigint | number): Uint8Array {
  const digits = value.toString(16);
  return value.toString() === "0"
    ? Buffer.alloc(0)
    : Buffer.from(digits.padStart(digits.length + (digits.length % 2), "0"), "hex");
}

/** @throws Error if the value is a list or has leading zeros. */
export function decodeScalar(value: Rlp | undefined): bigint {
  const bytes = bytesOf(value);
  if (bytes.length === 0) return 0n;
  if (bytes[0] === 0) throw new Error("an RLP number begins with a zero");
  return BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
}

function decodeAt(bytes: Uint8Array, at: number, end: number): [Rlp, number] {
  const first = at < end ? bytes[at]! : raise("the RLP value ends too early");
  if (first < 0x80) return [bytes.subarray(at, at + 1), at + 1];
  const list = first >= 0xc0;
  const short = first - (list ? 0xc0 : 0x80);
  let start = at + 1;
  let length = short;
  if (short > 55) {
    const width = short - 55;
    if (start + width > end) raise("the RLP value ends too early");
    length = Number(decodeScalar(bytes.subarray(start, start + width)));
    if (length < 56) raise("an RLP length is longer than needed");
    start += width;
  }
  const stop = start + length;
  if (stop > end) raise("the RLP value ends too early");
  if (!list) {
    if (length === 1 && bytes[start]! < 0x80) raise("an RLP byte is longer than needed");
    return [bytes.subarray(start, stop), stop];
  }
  const items: Rlp[] = [];
  for (let next = start; next < stop; ) {
    const [item, after] = decodeAt(bytes, next, stop);
    items.push(item);
    next = after;
  }
  return [items, stop];
}

function sizeOf(value: RlpSource): number {
  if (typeof value === "string") return bytesSize(lengthOf(value), firstOf(value));
  if (value instanceof Uint8Array) return bytesSize(value.length, value[0]);
  const payload = payloadOf(value);
  return headSize(payload) + payload;
}

function payloadOf(items: readonly RlpSource[]): number {
  return items.reduce<number>((sum, item) => sum + sizeOf(item), 0);
}

function bytesSize(length: number, first: number | undefined): number {
  return isOwnEncoding(length, first) ? 1 : headSize(length) + length;
}

function isOwnEncoding(length: number, first: number | undefined): boolean {
  return length === 1 && first !== undefined && first < 0x80;
}

function lengthOf(text: string): number {
  if (!text.startsWith("0x") || text.length % 2 === 1) raise(`"${text.slice(0, 70)}" is not hexadecimal`);
  return text.length / 2 - 1;
}

function firstOf(text: string): number | undefined {
  return text.length === 4 ? Number(text) : undefined;
}

function headSize(length: number): number {
  return length < 56 ? 1 : 1 + Math.ceil((32 - Math.clz32(length)) / 8);
}

function write(value: RlpSource, out: Buffer, at: number): number {
  if (typeof value === "string") {
    const length = lengthOf(value);
    const start = isOwnEncoding(length, firstOf(value)) ? at : writeHead(0x80, length, out, at);
    // Node stops writing at the first character that is not a hexadecimal digit.
    if (out.write(value.slice(2), start, "hex") !== length) raise(`"${value.slice(0, 70)}" is not hexadecimal`);
    return start + length;
  }
  if (value instanceof Uint8Array) {
    const start = isOwnEncoding(value.length, value[0]) ? at : writeHead(0x80, value.length, out, at);
    out.set(value, start);
    return start + value.length;
  }
  let next = writeHead(0xc0, payloadOf(value), out, at);
  for (const item of value) next = write(item, out, next);
  return next;
}

function writeHead(base: number, length: number, out: Uint8Array, at: number): number {
  if (length < 56) {
    out[at] = base + length;
    return at + 1;
  }
  const digits = encodeScalar(length);
  out[at] = base + 55 + digits.length;
  out.set(digits, at + 1);
  return at + 1 + digits.length;
}

function raise(what: string): never {
  throw new Error(what);
}
