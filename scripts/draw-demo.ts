/**
 * Puts a run of the demo into the pages:
 *   scripts/demo --json docs/images/demo.json | tee demo.log
 *   node scripts/draw-demo.ts [demo.log]
 * writes docs/images/demo.svg and the README's line of figures, and with a log the output in docs/DEMO.md. The picture
 * has a white ground, so that it is legible on light and dark pages.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { stripVTControlCharacters } from "node:util";
import type { DemoFigures } from "../lab/demo/figures.ts";

const [WIDTH, HEIGHT] = [860, 470];
const [LEFT, RIGHT] = [56, 150];
const TIMELINE = { top: 66, height: 30 };
const CHART = { top: 196, bottom: 424 };
const INK = "#222";
const QUIET = "#666";

const STEPS: readonly (readonly [step: keyof DemoFigures["steps"], label: string, colour: string])[] = [
  ["scan", "scan", "#88ccee"],
  ["open", "open auction", "#44aa99"],
  ["auctionPhases", "sealed orders", "#ddcc77"],
  ["clear", "clear", "#cc6677"],
  ["handshake", "handshake", "#aa4499"],
  ["eni", "interfaces", "#332288"],
  ["leaseLead", "lease start", "#bbbbbb"],
  ["firstPacket", "first packet", "#117733"],
];

export function demoPicture(figures: DemoFigures): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="13" role="img" aria-label="${altText(figures)}">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" rx="6" fill="#fff"/>`,
    ...timeline(figures),
    ...throughput(figures),
    "</svg>",
    "",
  ].join("\n");
}

export function altText({ triggerToFirstPacketMillis, failoverGapMillis }: DemoFigures): string {
  return `From trigger to first packet in ${seconds(triggerToFirstPacketMillis)} s; a cut cable interrupts the stream for ${failoverGapMillis.cableCut} ms`;
}

/** One bar for each step, to scale; names and times below, so that a short step is readable too. */
function timeline({ steps, triggerToFirstPacketMillis }: DemoFigures): string[] {
  const total = STEPS.reduce((sum, [step]) => sum + steps[step], 0);
  const scale = (WIDTH - LEFT - RIGHT) / total;
  const columns = 4;
  const columnWidth = (WIDTH - LEFT - RIGHT) / columns;
  let at = LEFT;
  const bars = STEPS.map(([step, , colour]) => {
    const width = steps[step] * scale;
    const bar = `<rect x="${at.toFixed(1)}" y="${TIMELINE.top}" width="${width.toFixed(1)}" height="${TIMELINE.height}" fill="${colour}"/>`;
    at += width;
    return bar;
  });
  const legend = STEPS.flatMap(([step, label, colour], i) => {
    const x = LEFT + (i % columns) * columnWidth;
    const y = TIMELINE.top + TIMELINE.height + 22 + Math.floor(i / columns) * 20;
    return [
      `<rect x="${x.toFixed(1)}" y="${y - 10}" width="11" height="11" fill="${colour}"/>`,
      text(x + 17, y, `${label} ${seconds(steps[step])} s`),
    ];
  });
  return [
    text(LEFT, 28, "An event: from trigger to first packet", 'font-size="16" font-weight="bold"'),
    text(
      LEFT,
      52,
      `${seconds(triggerToFirstPacketMillis)} s, of which ${seconds(steps.auctionPhases + steps.leaseLead)} s are the auction's phases and the wait for the lease to start`,
      `fill="${QUIET}"`,
    ),
    ...bars,
    ...legend,
  ];
}

/** What the receiver got, beside the leased rate and the standing peering. */
function throughput({
  throughput: measured,
  leasedMbps,
  peeringMbps,
  failoverGapMillis,
  detour,
}: DemoFigures): string[] {
  const { periodMillis, mbps, cutAtMillis } = measured;
  const maxMbps = Math.ceil((Math.max(leasedMbps, ...mbps) * 1.1) / 10) * 10;
  const endMillis = mbps.length * periodMillis;
  const x = (millis: number) => LEFT + (millis / endMillis) * (WIDTH - LEFT - RIGHT);
  const y = (rate: number) => CHART.bottom - (rate / maxMbps) * (CHART.bottom - CHART.top);
  const points = mbps.map((rate, i) => `${x((i + 0.5) * periodMillis).toFixed(1)},${y(rate).toFixed(1)}`).join(" ");
  const level = (rate: number, label: string) => [
    `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(rate).toFixed(1)}" y2="${y(rate).toFixed(1)}" stroke="#999" stroke-dasharray="5 4"/>`,
    text(WIDTH - RIGHT + 8, y(rate) + 4, label, `fill="${QUIET}"`),
  ];
  const secondsShown = Array.from({ length: Math.floor(endMillis / 5000) + 1 }, (_, i) => i * 5);
  return [
    text(LEFT, CHART.top - 20, "The transfer: Mbit/s at the receiver", 'font-size="16" font-weight="bold"'),
    ...[0, maxMbps / 2, maxMbps].map((rate) =>
      text(LEFT - 8, y(rate) + 4, String(rate), `text-anchor="end" fill="${QUIET}"`),
    ),
    `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${CHART.bottom}" y2="${CHART.bottom}" stroke="#ccc"/>`,
    ...secondsShown.map((second) =>
      text(x(second * 1000), CHART.bottom + 18, `${second} s`, `text-anchor="middle" fill="${QUIET}"`),
    ),
    ...level(leasedMbps, `leased: ${leasedMbps}`),
    ...level(peeringMbps, `standing peering: ${peeringMbps.toFixed(0)}`),
    `<line x1="${x(cutAtMillis).toFixed(1)}" x2="${x(cutAtMillis).toFixed(1)}" y1="${CHART.top}" y2="${CHART.bottom}" stroke="#cc3311" stroke-width="2"/>`,
    text(
      x(cutAtMillis) + 8,
      CHART.top + 8,
      `cable cut: ${failoverGapMillis.cableCut} ms until packets arrive via ${detour.slice(0, -1).join(", ")}`,
      'fill="#cc3311"',
    ),
    `<polyline fill="none" stroke="#4477aa" stroke-width="2.5" points="${points}"/>`,
  ];
}

const seconds = (millis: number): string => (millis / 1000).toFixed(1);

function text(x: number, y: number, content: string, more = `fill="${INK}"`): string {
  return `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more.includes("fill=") ? more : `${more} fill="${INK}"`}>${content}</text>`;
}

/** The README's row of the demo. */
export function readmeRow({ triggerToFirstPacketMillis, steps }: DemoFigures): string {
  const waiting = seconds(steps.auctionPhases + steps.leaseLead);
  return `| [trigger to first packet](docs/DEMO.md) | ${seconds(triggerToFirstPacketMillis)} s | ${waiting} s of it are phases of the auction and the wait for the lease |`;
}

/** The page with another run's output in its last block. */
function withOutput(page: string, log: string): string {
  const plain = stripVTControlCharacters(log);
  const output = plain
    .slice(plain.indexOf("Six regions"))
    .trimEnd()
    .replaceAll(/[ \t]+$/gm, "");
  const block = page.lastIndexOf("```\n", page.length - 5);
  return `${page.slice(0, block)}\`\`\`\n${output}\n\`\`\`\n`;
}

if (import.meta.main) {
  const root = new URL("../", import.meta.url);
  const change = (file: string, edit: (text: string) => string) =>
    writeFileSync(new URL(file, root), edit(readFileSync(new URL(file, root), "utf8")));
  const figures = JSON.parse(readFileSync(new URL("docs/images/demo.json", root), "utf8")) as DemoFigures;
  writeFileSync(new URL("docs/images/demo.svg", root), demoPicture(figures));
  change("README.md", (text) => text.replace(/^\| \[trigger to first packet\].*$/m, readmeRow(figures)));
  const [log] = process.argv.slice(2);
  if (log) change("docs/DEMO.md", (page) => withOutput(page, readFileSync(log, "utf8")));
}
