import { background } from './land.ts';
import { PALETTES } from './palette.ts';
import { randomOf } from './random.ts';
import { type Canvas, clouds, gradients, round, sky, sunOrMoon } from './sky.ts';
import { THINGS } from './things.ts';
import { water } from './water.ts';

const BRIEF = { time: 'sunset', land: 'hills', water: true, snow: false, rain: false, things: ['boat'] } as const;

/** One frame of the sample video, a paper boat at sunset. The `phase` runs from 0 to 1; there the film begins anew. */
export function voyageSvg(width: number, height: number, phase: number): string {
  const scale = Math.min(width, height) / 1000;
  const [viewWidth, viewHeight] = [round(width / scale), round(height / scale)];
  const canvas: Canvas = { width: viewWidth, height: viewHeight, horizon: round(viewHeight * 0.58), random: randomOf('voyage 5') };
  const palette = PALETTES.sunset;
  const light = { x: round(viewWidth * 0.64), y: round(canvas.horizon - 150) };
  const wave = (turns: number, shift = 0) => Math.sin((phase * turns + shift) * 2 * Math.PI);
  const boat = { x: round(viewWidth * 0.42 + 26 * wave(1)), y: round(viewHeight * 0.76 + 9 * wave(2)), tilt: round(4 * wave(2, 0.2)) };
  // The flock enters at one side when the film begins, and has left at the other when it ends.
  const flock = { x: round(-200 + phase * (viewWidth + 400)), y: round(viewHeight * 0.2 + 20 * wave(2)) };
  const draw = (at: { x: number; y: number; tilt?: number }, thing: string) =>
    `<g transform="translate(${at.x} ${at.y}) rotate(${at.tilt ?? 0})">${thing}</g>`;
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${viewWidth} ${viewHeight}" preserveAspectRatio="none">
${gradients(palette)}${sky(canvas)}${sunOrMoon(BRIEF, palette, light)}${clouds(canvas, palette, 5, false)}
<g id="land">${background(canvas, BRIEF, palette, 3)}</g>
${water(canvas, palette, light, phase)}
${draw(flock, THINGS.birds({ palette, isDark: false }))}${draw(boat, THINGS.boat({ palette, isDark: false }))}
</svg>`;
}
