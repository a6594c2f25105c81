/** A line chart as SVG text: readable in light and dark mode, on a white background. */
export interface Line {
  readonly name: string;
  readonly points: readonly number[];
}

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT] = [720, 320, 64, 40, 34, 150];
const COLOURS = ["#1f77b4", "#d62728", "#2ca02c", "#9467bd"];

/** @param x label of the x axis, on which the points are evenly spaced. */
export function lineChart(title: string, x: string, y: string, lines: readonly Line[]): string {
  const most = Math.max(...lines.flatMap(({ points }) => points), 1e-9);
  const longest = Math.max(...lines.map(({ points }) => points.length));
  const px = (i: number) => LEFT + (i / (longest - 1)) * (WIDTH - LEFT - RIGHT);
  const py = (value: number) => HEIGHT - BOTTOM - (value / most) * (HEIGHT - BOTTOM - TOP);
  const text = (at: readonly [number, number], words: string, more = "") =>
    `<text x="${at[0].toFixed(1)}" y="${at[1].toFixed(1)}" ${more}>${words}</text>`;
  const ticks = [0, 0.25, 0.5, 0.75, 1].map((part) => part * most);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    text([LEFT, 18], title, 'font-size="14"'),
    ...ticks.flatMap((value) => [
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${py(value).toFixed(1)}" y2="${py(value).toFixed(1)}" stroke="#ddd"/>`,
      text([LEFT - 6, py(value) + 4], value.toPrecision(2), 'text-anchor="end"'),
    ]),
    text([(LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10], x, 'text-anchor="middle"'),
    text([14, HEIGHT / 2], y, `text-anchor="middle" transform="rotate(-90 14 ${HEIGHT / 2})"`),
    ...lines.flatMap(({ name, points }, i) => [
      `<polyline fill="none" stroke="${COLOURS[i % COLOURS.length]}" stroke-width="2" points="${points.map((value, at) => `${px(at).toFixed(1)},${py(value).toFixed(1)}`).join(" ")}"/>`,
      text([WIDTH - RIGHT + 8, TOP + 14 + 18 * i], name, `fill="${COLOURS[i % COLOURS.length]}"`),
    ]),
    "</svg>\n",
  ].join("\n");
}
