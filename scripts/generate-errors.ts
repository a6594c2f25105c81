/**
 * Writes docs/ERRORS.md from the sources: every error code with its message, remedy and the file that throws it, and every
 * error of the contracts with its notice. `--check` changes nothing and fails if the page is not what the sources say.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const page = `${root}docs/ERRORS.md`;

/** The first that a path begins with is its area. */
const AREAS: readonly (readonly [title: string, ...folders: string[]])[] = [
  ["Configuration, keys and start", "agent/config.ts", "agent/up.ts", "agent/serve.ts", "agent/cli/keys.ts"],
  ["Doctor", "agent/cli/doctor.ts"],
  ["Audit", "agent/cli/audit.ts", "agent/cli/bundle.ts", "agent/reputation"],
  ["Command line and API", "agent/cli", "agent/api"],
  ["Chain", "agent/chain", "deploy"],
  ["Journal", "agent/journal"],
  ["Auctions, leases and meshes", "agent/coordinator", "agent/auction", "agent/lease", "agent/topology"],
  ["Control channel", "agent/control"],
  ["meshd", "agent/meshd"],
  ["Lab, demo and benchmarks (development only)", "lab", "bench"],
];

interface ThrownError {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
  readonly retryable: string;
  readonly file: string;
}

/** A function of a file that makes an error of a code: `refusal(code, what, remedy = …)`. */
interface Helper {
  readonly name: string;
  readonly message: string;
  readonly remedy: string;
}

/** The index after the bracket that closes the one at `from`, past strings, templates and comments. */
function closing(source: string, from: number): number {
  let at = from + 1;
  while (at < source.length) {
    const character = source[at]!;
    if (character === '"' || character === "'" || character === "`") at = stringEnd(source, at);
    else if (source.startsWith("//", at)) at = source.indexOf("\n", at);
    else if (source.startsWith("/*", at)) at = source.indexOf("*/", at) + 2;
    else if ("([{".includes(character)) at = closing(source, at);
    else if (")]}".includes(character)) return at + 1;
    else at++;
  }
  return at;
}

function stringEnd(source: string, from: number): number {
  const quote = source[from];
  for (let at = from + 1; at < source.length; at++) {
    if (source[at] === "\\") at++;
    else if (quote === "`" && source.startsWith("${", at)) at = closing(source, at + 1) - 1;
    else if (source[at] === quote) return at + 1;
  }
  return source.length;
}

/** The arguments of the call whose bracket opens at `from`, each as source text. */
function argumentsAt(source: string, from: number): string[] {
  const end = closing(source, from) - 1;
  const found: string[] = [];
  let start = from + 1;
  for (let at = start; at < end; ) {
    const character = source[at]!;
    if (character === '"' || character === "'" || character === "`") at = stringEnd(source, at);
    else if ("([{".includes(character)) at = closing(source, at);
    else if (character === ",") {
      found.push(source.slice(start, at).trim());
      start = ++at;
    } else at++;
  }
  const last = source.slice(start, end).trim();
  return last === "" ? found : [...found, last];
}

/** The texts that an argument can be, with `<name>` for what is filled in; "…" if it holds no text. */
function textOf(argument: string): string {
  const texts: string[] = [];
  for (let at = 0; at < argument.length; ) {
    const character = argument[at]!;
    if (`"'\``.includes(character)) {
      const end = stringEnd(argument, at);
      texts.push(filled(argument.slice(at + 1, end - 1)));
      at = end;
    } else if ("([{".includes(character)) at = closing(argument, at);
    else at++;
  }
  return texts.join(" / ") || "…";
}

function filled(template: string): string {
  let text = "";
  for (let at = 0; at < template.length; ) {
    if (template.startsWith("${", at)) {
      const end = closing(template, at + 1);
      text += placeholder(template.slice(at + 2, end - 1));
      at = end;
    } else if (template[at] === "\\") {
      text += template[at + 1] === "n" ? " " : template[at + 1];
      at += 2;
    } else text += template[at++];
  }
  return text;
}

/** The last name of a chain of properties, else "…". */
function placeholder(expression: string): string {
  const chain = /^[\w$.!?]+$/.test(expression.trim()) ? expression.match(/[A-Za-z]\w*/g) : null;
  return chain ? `<${chain.at(-1)}>` : "…";
}

/** The text of an argument; a name is followed to the constant, or to what callers give for the parameter, of that name. */
function textAt(source: string, at: number, argument: string): string {
  const text = textOf(argument);
  const name = argument.trim();
  // The first line of several.
  if (name.startsWith("[")) return textAt(source, at, argumentsAt(name, 0)[0] ?? "");
  if (text !== "…" || !/^\w+$/.test(name)) return text;
  const before = source.slice(0, at);
  const constant = [...before.matchAll(new RegExp(`\\bconst ${name}\\b[^=;]*=`, "g"))].at(-1);
  if (constant) return textOf(statementAt(source, constant.index + constant[0].length));
  const texts = [...before.matchAll(/\b(?:function (\w+)|const (\w+) =|(constructor))\s*\(/g)].flatMap((made) => {
    const parameters = argumentsAt(source, made.index + made[0].length - 1);
    const place = parameters.findIndex((parameter) => new RegExp(`^${name}\\??:`).test(parameter));
    if (place < 0) return [];
    const called = made[3]
      ? `new ${[...source.slice(0, made.index).matchAll(/\bclass (\w+)/g)].at(-1)?.[1]}`
      : (made[1] ?? made[2]);
    return [...source.matchAll(new RegExp(`(?<!function )\\b${called}\\(`, "g"))].flatMap((call) => {
      const given = argumentsAt(source, call.index + call[0].length - 1)[place];
      return given ? [textOf(given)] : [];
    });
  });
  return [...new Set(texts)].filter((each) => each !== "…").join(" / ") || text;
}

/** The source text from `from` to the end of its statement. */
function statementAt(source: string, from: number): string {
  let at = from;
  while (at < source.length && source[at] !== ";") {
    if (`"'\``.includes(source[at]!)) at = stringEnd(source, at);
    else if ("([{".includes(source[at]!)) at = closing(source, at);
    else at++;
  }
  return source.slice(from, at);
}

/** The branches of `condition ? one : other`, each as source text; null: it is another expression. */
function branchesOf(argument: string): { condition: string; branches: [string, string] } | null {
  const parts = /^([\w.]+)\s*\?(?![.?])\s*/.exec(argument);
  if (!parts) return null;
  const rest = argument.slice(parts[0].length);
  for (let at = 0; at < rest.length; ) {
    if (`"'\``.includes(rest[at]!)) at = stringEnd(rest, at);
    else if ("([{".includes(rest[at]!)) at = closing(rest, at);
    else if (rest[at] === ":")
      return { condition: parts[1]!, branches: [rest.slice(0, at).trim(), rest.slice(at + 1).trim()] };
    else at++;
  }
  return null;
}

/** Where the code depends on a condition: what another argument of the call is under the same condition. */
function underCode(argument: string, code: string, codeArgument: string): string {
  const [codes, own] = [branchesOf(codeArgument), branchesOf(argument)];
  if (!codes || own?.condition !== codes.condition) return argument;
  return own.branches[codes.branches.findIndex((branch) => branch.includes(`"${code}"`))] ?? argument;
}

function codesOf(argument: string): string[] {
  return [...argument.matchAll(/"([A-Z][A-Z0-9_]+)"/g)].map(([, code]) => code!);
}

function retryableOf(options: string | undefined): string {
  if (!options) return "no";
  if (/retryAfterSeconds/.test(options) || /retryable: true/.test(options)) return "yes";
  return /retryable\b/.test(options) ? "sometimes" : "no";
}

/** Functions of the file whose first parameter is the code of the error that they make. */
function helpersOf(source: string): Helper[] {
  return [...source.matchAll(/function (\w+)\(/g)].flatMap(({ 0: whole, 1: name, index }) => {
    const open = index + whole.length - 1;
    const parameters = argumentsAt(source, open);
    if (!parameters[0]?.startsWith("code: string")) return [];
    const body = source.slice(closing(source, open));
    const call = body.indexOf("new EphemeshError(");
    const made = call >= 0 && call < 400 ? argumentsAt(body, call + "new EphemeshError".length) : [];
    const fallback = parameters[2]?.split("=")[1]?.trim();
    const constant = fallback && new RegExp(`const ${fallback} = ("[^"]*")`).exec(source)?.[1];
    return [
      {
        name: name!,
        message: made[1] ? textOf(made[1]) : "<what>",
        remedy: textOf(constant ?? fallback ?? made[2] ?? ""),
      },
    ];
  });
}

function errorsOf(file: string): ThrownError[] {
  const source = readFileSync(root + file, "utf8");
  const found: ThrownError[] = [];
  const helpers = helpersOf(source);
  for (const match of source.matchAll(/\b(new EphemeshError|super|\w+)\(/g)) {
    const name = match[1]!;
    const helper = helpers.find((each) => each.name === name);
    if (!helper && name !== "new EphemeshError" && name !== "super") continue;
    const [code = "", message = "", remedy, options] = argumentsAt(source, match.index + match[0].length - 1);
    // Errors of others are passed on by the code that they came with.
    if (name === "new EphemeshError" && !/"|\bcode$/.test(code))
      throw new Error(`${file}: no code in ${match[0]}${code}`);
    for (const each of codesOf(code))
      found.push({
        code: each,
        message: helper
          ? helper.message.replace(/<what>|^…$/, textOf(message))
          : textAt(source, match.index, underCode(message, each, code)),
        remedy: remedy ? textAt(source, match.index, underCode(remedy, each, code)) : (helper?.remedy ?? ""),
        retryable: retryableOf(options),
        file,
      });
  }
  // Answers that are written without an EphemeshError.
  for (const { index } of source.matchAll(/\{\s*(?:status: \w+,\s*|status,\s*)?code:/g)) {
    const fields = argumentsAt(source, index).map((field) => field.split(/:(.*)/s));
    const fieldOf = (key: string) => fields.find(([name]) => name?.trim() === key)?.[1] ?? "";
    if (fieldOf("message") === "") continue;
    for (const code of codesOf(fieldOf("code")))
      found.push({
        code,
        message: textOf(fieldOf("message")),
        remedy: textOf(fieldOf("remedy")),
        retryable: "no",
        file,
      });
  }
  return found;
}

function sourcesUnder(folder: string, ending: string): string[] {
  return readdirSync(root + folder, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(ending))
    .map((file) => `${folder}/${file}`)
    .sort();
}

function contractErrors(): string[] {
  const rows = new Set<string>();
  for (const file of [
    ...sourcesUnder("contracts/interfaces", ".sol"),
    ...sourcesUnder("contracts/libraries", ".sol"),
  ]) {
    const source = readFileSync(root + file, "utf8");
    for (const [, comment, name, parameters] of source.matchAll(
      /((?:^[ \t]*\/\/\/[^\n]*\n)+)[ \t]*error (\w+)\(([^)]*)\);/gm,
    )) {
      const notice = /@notice ([\s\S]*?)(?=\n[ \t]*\/\/\/ @|$)/.exec(comment!)?.[1]?.replace(/\s*\n\s*\/\/\/\s*/g, " ");
      const arguments_ = parameters!
        .trim()
        .split(/\s*,\s*/)
        .map((each) => each.trim().split(/\s+/).at(-1));
      rows.add(row([`\`${name}(${arguments_.join(", ")})\``, notice?.trim() ?? "", link(file)]));
    }
  }
  return [...rows].sort();
}

const row = (cells: readonly string[]) =>
  `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("<", "‹").replaceAll(">", "›").replace(/\s+/g, " ")).join(" | ")} |`;
const link = (file: string) => `[${file.replace(/^agent\/|^contracts\//, "")}](../${file})`;

function render(): string {
  const errors = ["agent", "deploy", "lab", "bench"].flatMap((folder) => sourcesUnder(folder, ".ts").flatMap(errorsOf));
  const areaOf = (file: string) =>
    AREAS.find(([, ...folders]) => folders.some((folder) => file.startsWith(folder)))?.[0];
  const lost = errors.filter(({ file }) => areaOf(file) === undefined);
  if (lost.length > 0) throw new Error(`no area for ${lost.map(({ file }) => file).join(", ")}`);
  const mute = errors.filter(({ message, remedy }) =>
    [message, remedy].some((text) => /^[…\s]*$|^Nothing was [^.]*\.$/.test(text)),
  );
  if (mute.length > 0)
    throw new Error(`no message or no remedy: ${mute.map(({ code, file }) => `${code} (${file})`).join(", ")}`);
  const sections = AREAS.map(([title]) => {
    const rows = errors
      .filter(({ file }) => areaOf(file) === title)
      .map(({ code, message, remedy, retryable, file }) =>
        row([`\`${code}\``, message, remedy, retryable, link(file)]),
      );
    return `## ${title}\n\n| code | message | what to do | retried | thrown in |\n|---|---|---|---|---|\n${[...new Set(rows)].sort().join("\n")}\n`;
  });
  return `# Errors

Generated by \`scripts/generate-errors.ts\` from the sources; do not edit.

An error has a stable code, a message (what happened and what was left untouched) and a remedy. The command line prints message and remedy, the API answers \`{code, message, remedy}\`, and the log has \`code\`. ‹name› and … stand for what is filled in. *Retried*: the same call can succeed later without a change; the agent tries again by itself.

${sections.join("\n")}
## Contracts

A transaction that a contract refuses gives \`CONTRACT_REFUSED\`, with the name of one of these errors.

| error | meaning | declared in |
|---|---|---|
${contractErrors().join("\n")}
`;
}

const text = render();
if (!process.argv.includes("--check")) writeFileSync(page, text);
else if (readFileSync(page, "utf8") !== text) {
  console.error("docs/ERRORS.md is not what the sources say.\n  → Run `node scripts/generate-errors.ts`.");
  process.exitCode = 1;
}
