/** Small faults in Solidity text: one operator, constant, guard, rounding or modifier changed at a time. */
export interface Mutant {
  readonly file: string;
  readonly line: number;
  readonly what: string;
  readonly before: string;
  readonly after: string;
  /** The whole file with the fault. */
  readonly source: string;
}

interface Edit {
  readonly at: number;
  readonly length: number;
  readonly by: string;
  readonly what: string;
}

const OPERATORS: Readonly<Record<string, readonly string[]>> = {
  "+": ["-"],
  "-": ["+"],
  "*": ["/"],
  "/": ["*"],
  "%": ["*"],
  "<": ["<=", ">"],
  "<=": ["<"],
  ">": [">=", "<"],
  ">=": [">"],
  "==": ["!="],
  "!=": ["=="],
  "&&": ["||"],
  "||": ["&&"],
  "&": ["|"],
  "|": ["&"],
  "^": ["|"],
  "<<": [">>"],
  ">>": ["<<"],
  "+=": ["-="],
  "-=": ["+="],
  "|=": ["&="],
};
const MODIFIERS = /\b(onlyAuction|onlyTreasury\(regionId\)|nonReentrant|restricted)\b ?/g;
/** No statements: declarations of events and errors, imports, comments. */
const NO_CODE = /^\s*(\/\/|\*|\/\*|import|pragma|event|error|using|type |contract|library|interface|struct|enum)/;

export function mutantsOf(file: string, source: string): Mutant[] {
  const code = withoutComments(source);
  const edits = [...operators(code), ...constants(code), ...guards(code), ...roundings(code), ...modifiers(code)];
  return edits
    .filter(({ at }) => !NO_CODE.test(lineAt(source, at)) && !inDeclaration(code, at))
    .map(({ at, length, by, what }) => {
      const changed = source.slice(0, at) + by + source.slice(at + length);
      return {
        file,
        line: source.slice(0, at).split("\n").length,
        what,
        before: lineAt(source, at).trim(),
        after: lineAt(changed, at).trim(),
        source: changed,
      };
    });
}

function operators(code: string): Edit[] {
  return [...code.matchAll(/ (\+=|-=|\|=|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%<>&|^]) /g)].flatMap((match) =>
    (OPERATORS[match[1]!] ?? []).map((by) => ({
      at: match.index + 1,
      length: match[1]!.length,
      by,
      what: `${match[1]} → ${by}`,
    })),
  );
}

function constants(code: string): Edit[] {
  const numbers = [...code.matchAll(/(?<![\w.])(\d+)(?![\w.])/g)].map((match) => {
    const by = String(BigInt(match[1]!) + 1n);
    return { at: match.index, length: match[1]!.length, by, what: `${match[1]} → ${by}` };
  });
  const truths = [...code.matchAll(/\b(true|false)\b/g)].map((match) => {
    const by = match[1] === "true" ? "false" : "true";
    return { at: match.index, length: match[1]!.length, by, what: `${match[1]} → ${by}` };
  });
  return [...numbers, ...truths];
}

/** `if (condition) revert …` that never reverts. */
function guards(code: string): Edit[] {
  return [...code.matchAll(/\bif \(/g)].flatMap((match) => {
    const open = match.index + match[0].length - 1;
    const close = matching(code, open);
    if (!/^\s*revert\b/.test(code.slice(close + 1))) return [];
    return [{ at: open, length: close + 1 - open, by: "(false)", what: "guard removed" }];
  });
}

/** ⌈a / b⌉ that rounds down. */
function roundings(code: string): Edit[] {
  return [...code.matchAll(/(?<!function )\b(?:Arithmetic\.)?ceilDiv\(/g)].flatMap((match) => {
    const open = match.index + match[0].length - 1;
    const close = matching(code, open);
    const [a, b] = splitArguments(code.slice(open + 1, close));
    if (a === undefined || b === undefined) return [];
    return [
      { at: match.index, length: close + 1 - match.index, by: `((${a}) / (${b}))`, what: "rounds down instead of up" },
    ];
  });
}

function modifiers(code: string): Edit[] {
  return [...code.matchAll(MODIFIERS)]
    .filter(({ index }) => !/modifier\s*$/.test(code.slice(0, index)))
    .map((match) => ({ at: match.index, length: match[0].length, by: "", what: `${match[1]} removed` }));
}

function splitArguments(text: string): string[] {
  const parts: string[] = [];
  let [depth, from] = [0, 0];
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "(" || text[i] === "[") depth++;
    if (text[i] === ")" || text[i] === "]") depth--;
    if (text[i] !== "," || depth > 0) continue;
    parts.push(text.slice(from, i).trim());
    from = i + 1;
  }
  return [...parts, text.slice(from).trim()];
}

function matching(code: string, open: number): number {
  let depth = 0;
  for (let i = open; i < code.length; i++) {
    if (code[i] === "(") depth++;
    if (code[i] === ")" && --depth === 0) return i;
  }
  return code.length - 1;
}

/** Replaces comments by spaces, so that positions stay the same. */
function withoutComments(source: string): string {
  return source.replace(/\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, " "));
}

/** Whether a position is in an event, an error, a struct or a string, where no code runs. */
function inDeclaration(code: string, at: number): boolean {
  const before = code.slice(0, at);
  const statement = before.slice(Math.max(before.lastIndexOf(";"), before.lastIndexOf("}")) + 1);
  const quotes = (
    lineAt(code, at)
      .slice(0, at - before.lastIndexOf("\n") - 1)
      .match(/"/g) ?? []
  ).length;
  return /^\s*(event|error|import|pragma)\b/.test(statement) || quotes % 2 === 1;
}

function lineAt(text: string, at: number): string {
  const from = text.lastIndexOf("\n", at - 1) + 1;
  const to = text.indexOf("\n", at);
  return text.slice(from, to < 0 ? undefined : to);
}
