/** What solhint's use-natspec does not check: errors, structs and enums, one tag a line, one sentence for an error. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect } from "chai";

const folder = fileURLToPath(new URL("../../contracts/", import.meta.url));
const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".sol"));
const DECLARATION = /((?: *\/\/\/.*\n)*)^( *)(error|event|struct|enum|function|type) (\w+)([^;{]*)(;|\{[^}]*)/gm;

interface Declaration {
  readonly place: string;
  readonly kind: string;
  readonly tags: readonly { readonly tag: string; readonly text: string }[];
  /** Names of parameters or members. */
  readonly names: readonly string[];
}

function declarationsOf(file: string): Declaration[] {
  const text = readFileSync(folder + file, "utf8");
  return [...text.matchAll(DECLARATION)].map(([, comment = "", , kind = "", name, head = "", body = ""]) => {
    const lines = comment.split("\n").map((line) => line.replace(/^ *\/\/\/ ?/, ""));
    const tags = lines
      .join("\n")
      .split(/^(?=@)/m)
      .map((part) => /^@(\S+) (.*)$/s.exec(part))
      .filter((found) => found !== null)
      .map(([, tag = "", said = ""]) => ({ tag, text: said.trim().replaceAll("\n", " ") }));
    const list = kind === "struct" ? body.slice(1).split(";") : (/^\(([^)]*)\)/.exec(head)?.[1] ?? "").split(",");
    const names = list.map((item) => item.trim().split(/\s+/).at(-1) ?? "").filter((word) => word !== "");
    return { place: `${file}: ${kind} ${name}`, kind, tags, names };
  });
}

describe("NatSpec", () => {
  const interfaces = files.filter((file) => file.startsWith("interfaces/")).flatMap(declarationsOf);
  const errors = files.flatMap(declarationsOf).filter(({ kind }) => kind === "error");

  it("the sources are read", () => {
    expect(new Set(interfaces.map(({ kind }) => kind)).size).to.equal(6);
    expect(errors.length).to.be.greaterThan(60);
  });

  it("everything in an interface has a notice, and each parameter and member its line", () => {
    for (const { place, kind, tags, names } of interfaces) {
      // Operators of types are free functions.
      if (kind === "function" && place.startsWith("interfaces/Types.sol")) continue;
      expect(
        tags.map(({ tag }) => tag),
        place,
      ).to.include("notice");
      const params = tags.filter(({ tag }) => tag === "param").map(({ text }) => text.split(" ")[0]);
      expect(params, place).to.deep.equal(names);
    }
  });

  it("an error's notice is one sentence, which ERRORS.md shows", () => {
    for (const { place, tags } of errors)
      expect(tags.find(({ tag }) => tag === "notice")?.text, place).to.match(/^[A-Z][^.]*\.$/);
  });

  it("a line has one tag", () => {
    for (const file of files)
      for (const line of readFileSync(folder + file, "utf8").split("\n"))
        if (/^ *\/\/\//.test(line)) expect(line, file).to.not.match(/@\w+.*[ .]@(notice|param|return|dev|custom)/);
  });
});
