/**
 * What pages and comments cite: pages, headings, sections, files, invariants, tests and contract errors. Each rule is a
 * pure function from the texts of a repository to the citations whose target does not exist.
 */
import { posix } from "node:path";

/** Text by path from the repository's root, with `/`. */
export type Files = ReadonlyMap<string, string>;

export interface Repository {
  /** Whose citations are checked. */
  readonly texts: Files;
  /** Every file and folder that there is. */
  readonly paths: ReadonlySet<string>;
}

export interface Problem {
  readonly file: string;
  readonly line: number;
  readonly problem: string;
}

type Found = { readonly line: number; readonly problem: string };

const isPage = (file: string): boolean => file.endsWith(".md");
const pagesOf = ({ texts }: Repository): [string, string][] => [...texts].filter(([file]) => isPage(file));

function collect(files: Iterable<[string, string]>, find: (file: string, text: string) => readonly Found[]): Problem[] {
  return [...files].flatMap(([file, text]) => find(file, text).map((found) => ({ file, ...found })));
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split("\n").length;
}

/** As GitHub names a heading's anchor. */
export function slugOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replaceAll(/\s/gu, "-");
}

const withoutFences = (text: string): string =>
  text.replaceAll(/^```.*?^```/gms, (code) => code.replaceAll(/[^\n]/g, " "));

function headingsOf(text: string): string[] {
  return [...withoutFences(text).matchAll(/^#{1,6} (.*)$/gm)].map(([, heading = ""]) => heading);
}

function anchorsOf(text: string): Set<string> {
  const seen = new Map<string, number>();
  return new Set(
    headingsOf(text).map((heading) => {
      const slug = slugOf(heading);
      const count = seen.get(slug) ?? 0;
      seen.set(slug, count + 1);
      return count === 0 ? slug : `${slug}-${count}`;
    }),
  );
}

const hasSection = (text: string, section: string): boolean =>
  headingsOf(text).some((heading) => heading.startsWith(`${section}. `));

/** Where a page that is named in `file` may be: beside it, at the root, or in docs/. */
function resolvePage({ texts, paths }: Repository, file: string, page: string): string | null {
  const candidates = [posix.join(posix.dirname(file), page), page, posix.join("docs", page)];
  return candidates.find((path) => texts.has(path) || paths.has(path)) ?? null;
}

interface Link {
  readonly line: number;
  readonly path: string;
  readonly anchor: string | undefined;
}

/** Relative links of a page. */
function linksOf(file: string, text: string): Link[] {
  return [...withoutFences(text).matchAll(/\]\(([^)\s]+)\)/g)].flatMap((match): Link[] => {
    const [target = "", anchor] = (match[1] ?? "").split("#");
    if (/^[a-z]+:/.test(target)) return [];
    const path = target === "" ? file : posix.join(posix.dirname(file), target).replace(/\/$/, "");
    return [{ line: lineAt(text, match.index), path, anchor }];
  });
}

/** Relative links of pages: the file and the heading are there. */
export function brokenLinks(repository: Repository): Problem[] {
  return collect(pagesOf(repository), (file, text) =>
    linksOf(file, text).flatMap(({ line, path, anchor }): Found[] => {
      if (!repository.paths.has(path)) return [{ line, problem: `there is no ${path}` }];
      const page = repository.texts.get(path);
      const isThere = anchor === undefined || (page !== undefined && anchorsOf(page).has(anchor));
      return isThere ? [] : [{ line, problem: `${path} has no heading #${anchor}` }];
    }),
  );
}

/** A page of docs/ to which no other page leads. */
export function orphanPages(repository: Repository): Problem[] {
  const pages = pagesOf(repository);
  const linked = new Set(
    pages.flatMap(([file, text]) => linksOf(file, text).flatMap(({ path }) => (path === file ? [] : [path]))),
  );
  return pages
    .filter(([file]) => file.startsWith("docs/") && !linked.has(file))
    .map(([file]) => ({ file, line: 0, problem: "is linked from no other page" }));
}

/** A page by its name, with or without a heading or a section. Links are left to `brokenLinks`. */
const PAGE = /(?<![\w/.*-])(?<!\]\()((?:[\w.-]+\/)*[\w-]+\.md)(?:#([\w-]+))?(?:\]\([^)]*\))?(?:,? section (\d+))?/g;

export function brokenPages(repository: Repository): Problem[] {
  return collect(repository.texts, (file, text) =>
    [...text.matchAll(PAGE)].flatMap((match): Found[] => {
      const [, name = "", anchor, section] = match;
      const line = lineAt(text, match.index);
      const path = resolvePage(repository, file, name);
      if (path === null) return [{ line, problem: `there is no page ${name}` }];
      const page = repository.texts.get(path) ?? "";
      if (anchor !== undefined && !anchorsOf(page).has(anchor))
        return [{ line, problem: `${path} has no heading #${anchor}` }];
      if (section !== undefined && !hasSection(page, section))
        return [{ line, problem: `${path} has no section ${section}` }];
      return [];
    }),
  );
}

/** "section 3" without a page, in a page: one of its own. */
export function brokenSections(repository: Repository): Problem[] {
  return collect(pagesOf(repository), (file, text) =>
    [
      ...withoutFences(text).matchAll(/(\.md(?:\)|\]\([^)]*\))?,? |RFC \d+, )?\bsection (\d+)( of [\w-]+\.md)?/gi),
    ].flatMap((match): Found[] => {
      const [, elsewhere, section = "", page] = match;
      if (elsewhere !== undefined) return [];
      const named = page === undefined ? file : resolvePage(repository, file, page.slice(4));
      const isThere = named !== null && hasSection(repository.texts.get(named) ?? "", section);
      return isThere
        ? []
        : [{ line: lineAt(text, match.index), problem: `${named ?? page} has no section ${section}` }];
    }),
  );
}

const FOLDERS = "agent|bench|contracts|deploy|docs|lab|scripts|test|\\.ci|\\.github";
const PATH = new RegExp(`(?<![\\w/.@$}-])(?:${FOLDERS})(?:/[\\w.-]+)*/[\\w.-]*\\w/?(?![\\w/*{<…-]|\\.\\*)`, "g");

/** A slash within a text may begin what passes for a comment, which does no harm. */
const COMMENT = /\/\*.*?\*\/|(?<!:)\/\/[^\n]*/gs;

/** Files and folders of the repository, as pages and comments name them. */
export function brokenPaths(repository: Repository): Problem[] {
  return collect(repository.texts, (file, text) => {
    const parts = isPage(file) ? [{ 0: text, index: 0 }] : [...text.matchAll(COMMENT)];
    return parts.flatMap(({ 0: prose, index }) =>
      [...prose.matchAll(PATH)].flatMap((match): Found[] => {
        const path = match[0].replace(/\/$/, "");
        const isPattern = /\bN\b/.test(path);
        return isPattern || repository.paths.has(path) || repository.paths.has(`${path}.ts`) || path.endsWith(".md")
          ? []
          : [{ line: lineAt(text, index + match.index), problem: `there is no ${path}` }];
      }),
    );
  });
}

export const INVARIANTS_PAGE = "docs/INVARIANTS.md";

/** INV-n is an invariant of docs/INVARIANTS.md. */
export function brokenInvariants(repository: Repository): Problem[] {
  const page = repository.texts.get(INVARIANTS_PAGE) ?? "";
  const known = new Set(headingsOf(page).flatMap((heading) => /^(INV-\d+)\b/.exec(heading)?.[1] ?? []));
  return collect(repository.texts, (file, text) =>
    [...text.matchAll(/\bINV-\d+\b/g)]
      .filter(([name]) => !known.has(name))
      .map(({ 0: name, index }) => ({ line: lineAt(text, index), problem: `${file} cites ${name}, which is none` })),
  );
}

function titlesOf(text: string): string[] {
  const quoted = /\b(?:it|describe)\(\s*(?:"((?:[^"\\]|\\.)*)"|`((?:[^`\\]|\\.)*)`)/g;
  return [
    ...[...text.matchAll(quoted)].map(([, plain, template]) => (plain ?? template ?? "").replaceAll('\\"', '"')),
    ...[...text.matchAll(/\bfunction ((?:test|invariant)\w*)/g)].map(([, name = ""]) => name),
  ];
}

/** A title is cited whole, or by its beginning and `…`; a part of it that is computed stands for anything. */
function isTitle(cited: string, titles: readonly string[]): boolean {
  if (cited.endsWith("…")) return titles.some((title) => title.startsWith(cited.slice(0, -1).trimEnd()));
  return titles.some((title) => {
    const parts = title.split(/\$\{[^}]*\}/).map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
    return new RegExp(`^${parts.join(".*")}$`).test(cited);
  });
}

/** Titles in quotation marks follow a file of test/ (list item or last cell of a row), or are of any test. */
export function brokenTests(repository: Repository, pages: readonly string[]): Problem[] {
  const tests = [...repository.texts]
    .filter(([file]) => file.startsWith("test/"))
    .map(([file, source]) => ({ file, titles: titlesOf(source) }));
  const cited = [...repository.texts].filter(([file]) => pages.includes(file));
  return collect(cited, (_, text) =>
    text.split("\n").flatMap((row, i): Found[] => {
      const cell = row.startsWith("|") ? (row.split("|").at(-2) ?? "") : row.startsWith("- ") ? row : "";
      const paths = [...cell.matchAll(/test\/[\w./-]*\w/g)].map(([path]) => path);
      const named = tests.filter(({ file }) => paths.some((path) => file === path || file.startsWith(`${path}/`)));
      const titles = (paths.length > 0 ? named : tests).flatMap((each) => each.titles);
      return [...cell.matchAll(/"([^"]+)"/g)].flatMap(([, title = ""]) =>
        isTitle(title, titles) ? [] : [{ line: i + 1, problem: `no test of ${paths.join(", ") || "any"}: "${title}"` }],
      );
    }),
  );
}

export const REFUSALS_PAGE = "docs/PROTOCOL.md";

/** Codes of refusals: of messages on the control channel, and of what the messages say. */
const CONTROL_CODE = /"((?:CONTROL|TOPOLOGY|LINK|HANDSHAKE|RECEIPT|EPOCH|RELAY|TEARDOWN)_[A-Z_]+)"/g;
const CONTROL_SOURCES = /^agent\/(?:control|coordinator\/handlers|lease)\/.*\.ts$/;

/**
 * Every error of the contracts and every refusal on the control channel is explained in the tables of refusals, and
 * nothing else is called one.
 */
export function brokenRefusals(repository: Repository): Problem[] {
  return [
    ...unexplained(repository, /^contracts\/(?!test\/).*\.sol$/, /^\s*error (\w+)\(/gm, "Refusals of the contracts"),
    ...unexplained(repository, CONTROL_SOURCES, CONTROL_CODE, "Refusals on the control channel"),
  ];
}

/** What the sources declare by a pattern, and the first cells of the tables under a heading: each without the other. */
function unexplained(repository: Repository, sources: RegExp, pattern: RegExp, heading: string): Problem[] {
  const texts = [...repository.texts].filter(([file]) => sources.test(file));
  const declared = new Set(texts.flatMap(([, text]) => [...text.matchAll(pattern)].map(([, name = ""]) => name)));
  const page = repository.texts.get(REFUSALS_PAGE) ?? "";
  const part = page.split(/^## /m).find((each) => each.startsWith(`${heading}\n`)) ?? "";
  const explained = [...part.matchAll(/^\|([^|]*)\|/gm)].flatMap(([, cell = ""]) =>
    [...cell.matchAll(/`(\w+)`/g)].map(([, name = ""]) => name),
  );
  const problem = (name: string, what: string): Problem => ({
    file: REFUSALS_PAGE,
    line: 0,
    problem: `${name} ${what}`,
  });
  return [
    ...[...declared].filter((name) => !explained.includes(name)).map((name) => problem(name, "is not explained")),
    ...explained.filter((name) => !declared.has(name)).map((name) => problem(name, "is in no source")),
  ];
}
