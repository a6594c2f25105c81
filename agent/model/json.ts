/** JSON that keeps amounts exact: a bigint is written as `{"$bigint": "123"}`. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_, v) => (typeof v === "bigint" ? { $bigint: v.toString() } : v));
}

/** Reads what `toJson` wrote. @throws SyntaxError if the text is not JSON */
export function fromJson(text: string): unknown {
  return JSON.parse(text, (_, v) =>
    v && typeof v === "object" && typeof v.$bigint === "string" && Object.keys(v).length === 1 ? BigInt(v.$bigint) : v,
  );
}
