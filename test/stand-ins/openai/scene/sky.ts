import type { Brief } from './brief.ts';
import { mix, type Palette } from './palette.ts';

/** The drawing's area, whose shorter side is 1000 units, and where its horizon is. */
export type Canvas = Readonly<{ width: number; height: number; horizon: number; random: () => number }>;
export type Point = Readonly<{ x: number; y: number }>;

export const round = (value: number): number => Math.round(value * 10) / 10;

/** The gradients that the other layers refer to. */
export function gradients({ sky, light }: Palette): string {
  const stop = (offset: number, color: string, opacity = 1) => `<stop offset="${offset}" stop-color="${color}" stop-opacity="${opacity}"/>`;
  const [zenith, middle, horizon] = sky;
  return `<defs>
<linearGradient id="sky" x2="0" y2="1">${stop(0, zenith)}${stop(0.6, middle)}${stop(1, horizon)}</linearGradient>
<linearGradient id="water" x2="0" y2="1">${stop(0, mix(horizon, middle, 0.3))}${stop(0.4, middle)}${stop(1, mix(zenith, '#000000', 0.3))}</linearGradient>
<radialGradient id="halo">${stop(0, light, 0.75)}${stop(0.25, light, 0.35)}${stop(1, light, 0)}</radialGradient>
<linearGradient id="beam">${stop(0, '#fff3c4', 0.8)}${stop(1, '#fff3c4', 0)}</linearGradient>
<linearGradient id="shade" x2="0" y2="1">${stop(0, '#000000', 0)}${stop(1, '#000000', 0.55)}</linearGradient>
</defs>`;
}

export function sky({ width, horizon }: Canvas): string {
  return `<rect width="${width}" height="${horizon + 2}" fill="url(#sky)"/>`;
}

/** The sun, or at night the moon with its craters. */
export function sunOrMoon({ time }: Brief, { light, sky }: Palette, { x, y }: Point): string {
  if (time === 'storm') return `<circle cx="${x}" cy="${y}" r="420" fill="url(#halo)" opacity=".45"/>`;
  const radius = time === 'night' ? 62 : time === 'day' ? 58 : 84;
  const craters = [
    [-18, -12, 15],
    [20, 14, 11],
    [-8, 28, 8],
    [24, -24, 7],
  ].map(([dx = 0, dy = 0, r]) => `<circle cx="${x + dx}" cy="${y + dy}" r="${r}" fill="${mix(light, sky[1], 0.25)}"/>`);
  return `<circle cx="${x}" cy="${y}" r="${radius * 5}" fill="url(#halo)" opacity="${time === 'night' ? 0.5 : 1}"/>
<circle cx="${x}" cy="${y}" r="${radius}" fill="${light}"/>${time === 'night' ? craters.join('') : ''}`;
}

export function stars({ width, horizon, random }: Canvas, count: number): string {
  const one = () => {
    const [x, depth] = [round(random() * width), random()];
    const opacity = round((1 - depth) * (0.35 + random() * 0.65));
    return `<circle cx="${x}" cy="${round(depth * horizon)}" r="${round(0.9 + random() ** 4 * 2.8)}" opacity="${opacity}"/>`;
  };
  return `<g fill="#ffffff">${Array.from({ length: count }, one).join('')}</g>`;
}

/** Flat-bottomed heaps of ellipses. */
export function clouds({ width, horizon, random }: Canvas, { sky, light }: Palette, count: number, isHeavy: boolean): string {
  const fill = isHeavy ? mix(sky[0], sky[1], 0.35) : mix(sky[2], light, 0.6);
  const one = () => {
    const [x, y, size] = [random() * width, horizon * (0.08 + random() * (isHeavy ? 0.3 : 0.5)), (isHeavy ? 190 : 95) * (0.6 + random())];
    const puffs = Array.from({ length: 5 }, (_, at) => {
      const [offset, rx] = [(at - 2) * size * 0.55, size * (0.75 - Math.abs(at - 2) * 0.16)];
      return `<ellipse cx="${round(x + offset)}" cy="${round(y - random() * size * 0.12)}" rx="${round(rx)}" ry="${round(rx * 0.3)}"/>`;
    });
    return `<g opacity="${round(0.3 + random() * 0.4)}">${puffs.join('')}</g>`;
  };
  return `<g fill="${fill}">${Array.from({ length: count }, one).join('')}</g>`;
}

/** Snowflakes, or slanted rain. */
export function precipitation({ width, height, random }: Canvas, kind: 'snow' | 'rain', count: number): string {
  const flake = () => `<circle cx="${round(random() * width)}" cy="${round(random() * height)}" r="${round(1.5 + random() ** 2 * 5)}"/>`;
  const drop = () => {
    const length = 20 + random() * 45;
    return `M${round(random() * (width + 200))} ${round(random() * height)}l${round(-length * 0.35)} ${round(length)}`;
  };
  if (kind === 'snow') return `<g fill="#ffffff" opacity=".8">${Array.from({ length: count }, flake).join('')}</g>`;
  return `<path d="${Array.from({ length: count }, drop).join('')}" stroke="#dfe8ee" stroke-width="1.6" opacity=".32"/>`;
}
