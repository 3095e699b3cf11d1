import type { Brief, Land } from './brief.ts';
import { mix, type Palette } from './palette.ts';
import { type Canvas, type Point, round } from './sky.ts';

/** The height of a line of hills at each x. */
export type Ridge = (x: number) => number;

/** Three sine waves. Sharper ones for mountains, smoother ones for dunes. */
export function ridgeOf({ random }: Canvas, land: Land, base: number, rise: number): Ridge {
  const waves = [1, 2.3, 5.1].map((frequency) => ({ frequency: frequency * (0.8 + random() * 0.4), phase: random() * 7 }));
  const zigzag = (angle: number) => 1 - 2 * Math.abs(((((angle / Math.PI) % 2) + 2) % 2) - 1);
  const wave = land === 'mountains' ? zigzag : Math.sin;
  const weights = land === 'mountains' ? [0.55, 0.32, 0.13] : land === 'desert' ? [0.75, 0.22, 0.03] : [0.6, 0.3, 0.1];
  return (x) => {
    const lift = waves.reduce((sum, { frequency, phase }, at) => sum + wave((x / 260) * frequency + phase) * (weights[at] ?? 0), 0);
    return base - ((lift + 1) / 2) * rise;
  };
}

export function outline(ridge: Ridge, { width, height }: Canvas, step = 12): string {
  const points: string[] = [];
  for (let x = -step; x <= width + step; x += step) points.push(`${round(x)} ${round(ridge(x))}`);
  return `M-20 ${height + 20}L${points.join('L')}L${width + 20} ${height + 20}Z`;
}

/** Everything between the sky and the foreground, from far to near. */
export function background(canvas: Canvas, brief: Brief, palette: Palette, layers: number): string {
  if (brief.land === 'city') return skyline(canvas, palette, brief);
  const rise = brief.land === 'mountains' ? 430 : brief.land === 'desert' ? 150 : 230;
  return Array.from({ length: layers }, (_, at) => {
    const depth = (at + 1) / (layers + 1);
    const base = canvas.horizon + (brief.water ? 6 : at * 55);
    const ridge = ridgeOf(canvas, brief.land, base, rise * (1 - depth * 0.75));
    const color = groundColor(brief, palette, depth * 0.8);
    const isCapped = brief.land === 'mountains' && at < 2;
    const trees = brief.land === 'forest' ? forest(canvas, ridge, 26 + depth * 60, color) : '';
    return `${trees}${isCapped ? cap(at, color, brief) : ''}<path d="${outline(ridge, canvas)}" fill="${isCapped ? `url(#cap${at})` : color}"/>`;
  }).join('');
}

/** Sand and snow keep a color of their own. */
export function groundColor({ land, snow, time }: Brief, { far, near }: Palette, depth: number): string {
  const color = mix(far, near, depth);
  if (snow) return mix(color, time === 'night' ? '#b9c9e6' : '#ffffff', 0.55);
  return land === 'desert' ? mix(color, '#d99a55', time === 'night' ? 0.15 : 0.5) : color;
}

/** Snow on the summits. */
function cap(at: number, color: string, { time }: Brief): string {
  const snow = mix(color, '#ffffff', time === 'night' || time === 'storm' ? 0.45 : 0.8);
  return `<linearGradient id="cap${at}" x2="0" y2="1"><stop offset="0" stop-color="${snow}"/><stop offset=".14" stop-color="${mix(color, snow, 0.5)}"/><stop offset=".3" stop-color="${color}"/></linearGradient>`;
}

function fir({ x, y }: Point, size: number): string {
  const [half, tier] = [size * 0.24, size / 3];
  return [0, 1, 2]
    .map(
      (at) =>
        `M${round(x)} ${round(y - size + at * tier * 0.75)}l${round(half * (0.5 + at * 0.25))} ${round(tier * 1.5)}h${round(-half * (1 + at * 0.5))}Z`,
    )
    .join('');
}

export function forest({ width, random }: Canvas, ridge: Ridge, size: number, color: string): string {
  const trees: string[] = [];
  for (let x = -20; x < width + 20; x += size * (0.22 + random() * 0.3))
    trees.push(fir({ x, y: ridge(x) + size * 0.2 }, size * (0.7 + random() * 0.7)));
  return `<path d="${trees.join('')}" fill="${color}"/>`;
}

/** Two rows of houses; the lit windows of each are one path. */
function skyline({ width, horizon, height, random }: Canvas, palette: Palette, brief: Brief): string {
  const row = (depth: number, tallest: number) => {
    const houses = [`M-30 ${horizon}H${width + 30}V${height}H-30Z`];
    const windows: string[] = [];
    for (let x = -30; x < width; ) {
      const [wide, tall] = [round(55 + random() * 75), round(tallest * (0.3 + random() ** 2 * 0.7))];
      const top = horizon + 4 - tall;
      houses.push(`M${x} ${height}V${top}h${wide}V${height}Z`);
      if (random() < 0.3) houses.push(`M${x + wide / 2 - 2} ${top}v-38h4v38Z`);
      for (let dy = 16; dy < tall - 14; dy += 24)
        for (let dx = 10; dx < wide - 14; dx += 19)
          if (random() < 0.36 * depth) windows.push(`M${round(x + dx)} ${round(top + dy)}h9v12h-9Z`);
      x += wide + Math.floor(random() * 9);
    }
    const color = groundColor({ ...brief, snow: false }, palette, depth * 0.85);
    return `<path d="${houses.join('')}" fill="${color}"/><path d="${windows.join('')}" fill="${palette.window}" opacity="${brief.time === 'day' ? 0.5 : 0.85}"/>`;
  };
  return row(0.3, 560) + row(0.8, 400);
}
