import type { Palette } from './palette.ts';
import { type Canvas, type Point, round } from './sky.ts';

/** Water below the horizon: it mirrors the land (the element with the id `land`) and glitters under the light. */
export function water(canvas: Canvas, palette: Palette, light: Point, phase = 0): string {
  const { width, height, horizon } = canvas;
  const surface = `<rect y="${horizon}" width="${width}" height="${height - horizon}"`;
  return `${surface} fill="url(#water)"/>
<clipPath id="surface">${surface}/></clipPath>
<g clip-path="url(#surface)"><use href="#land" transform="translate(0 ${2 * horizon}) scale(1 -1)" opacity=".38"/></g>
${ripples(canvas, palette.near, phase)}${glitter(canvas, palette.light, light, phase)}`;
}

/** Streaks in a column under the sun or moon, wider towards the viewer. They swing with the phase, from 0 to 1. */
function glitter({ height, horizon, random }: Canvas, color: string, { x }: Point, phase: number): string {
  const depth = height - horizon;
  const streaks = Array.from({ length: 70 }, (_, at) => {
    const share = ((at + random()) / 70) ** 1.4;
    const length = (18 + share * 130) * (0.4 + random());
    const swing = Math.sin((phase + random()) * 2 * Math.PI);
    const left = x + (random() - 0.5) * (50 + share * 190) - length / 2 + swing * (3 + share * 16);
    const opacity = round((0.75 - share * 0.55) * (0.65 + 0.35 * swing));
    return `<rect x="${round(left)}" y="${round(horizon + 3 + share * depth)}" width="${round(length)}" height="${round(2 + share * 5)}" rx="3" opacity="${opacity}"/>`;
  });
  return `<g fill="${color}">${streaks.join('')}</g>`;
}

function ripples({ width, height, horizon, random }: Canvas, color: string, phase: number): string {
  const lines = Array.from({ length: 46 }, () => {
    const share = random() ** 1.3;
    const length = 50 + share * 260;
    const swing = Math.sin((phase + random()) * 2 * Math.PI) * (4 + share * 18);
    return `M${round(random() * (width + 100) - 100 + swing)} ${round(horizon + 6 + share * (height - horizon))}h${round(length)}`;
  });
  return `<path d="${lines.join('')}" stroke="${color}" stroke-width="3" stroke-linecap="round" opacity=".22"/>`;
}
