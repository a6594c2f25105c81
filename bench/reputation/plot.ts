/** Lines over days as SVG, without a library. */
export interface Line {
  readonly name: string;
  /** One value from 0 to 1 a day. */
  readonly values: readonly number[];
}

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT] = [760, 340, 50, 40, 40, 190];
const COLOURS = ["#4477aa", "#ccbb44", "#aa3377", "#228833"];

export function plot(
  title: string,
  lines: readonly Line[],
  mark: { readonly day: number; readonly says: string },
): string {
  const days = Math.max(...lines.map(({ values }) => values.length)) - 1;
  const x = (day: number) => (LEFT + (day / days) * (WIDTH - LEFT - RIGHT)).toFixed(1);
  const y = (value: number) => (HEIGHT - BOTTOM - value * (HEIGHT - BOTTOM - TOP)).toFixed(1);
  const text = (px: number | string, py: number | string, says: string, more = "") =>
    `<text x="${px}" y="${py}" ${more}>${says}</text>`;
  const grid = [0, 0.25, 0.5, 0.75, 1].map(
    (value) =>
      `<line x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(value)}" y2="${y(value)}" stroke="#ddd"/>${text(LEFT - 8, Number(y(value)) + 4, String(value), 'text-anchor="end"')}`,
  );
  const ticks = Array.from({ length: Math.floor(days / 10) + 1 }, (_, i) =>
    text(x(10 * i), HEIGHT - BOTTOM + 18, String(10 * i), 'text-anchor="middle"'),
  );
  const drawn = lines.map(({ name, values }, i) => {
    const points = values.map((value, day) => `${x(day)},${y(value)}`).join(" ");
    const label = text(WIDTH - RIGHT + 12, TOP + 20 + 22 * i, name, `fill="${COLOURS[i % 4]}"`);
    return `<polyline fill="none" stroke="${COLOURS[i % 4]}" stroke-width="2" points="${points}"/>${label}`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    text(LEFT, 22, title, 'font-size="14" font-weight="bold"'),
    ...grid,
    ...ticks,
    text(x(days / 2), HEIGHT - 6, "day", 'text-anchor="middle"'),
    `<line x1="${x(mark.day)}" x2="${x(mark.day)}" y1="${TOP}" y2="${HEIGHT - BOTTOM}" stroke="#888" stroke-dasharray="4 3"/>`,
    text(Number(x(mark.day)) + 5, TOP + 12, mark.says, 'fill="#666"'),
    ...drawn,
    "</svg>",
    "",
  ].join("\n");
}
