import { type Brief, readPrompt, type Thing } from './brief.ts';
import { background, forest, groundColor, outline, type Ridge, ridgeOf } from './land.ts';
import { PALETTES, type Palette } from './palette.ts';
import { randomOf } from './random.ts';
import { type Canvas, clouds, gradients, type Point, precipitation, round, sky, stars, sunOrMoon } from './sky.ts';
import { THINGS } from './things.ts';
import { water } from './water.ts';

export type SceneOptions = Readonly<{ prompt: string; index: number; width: number; height: number; isTransparent: boolean }>;

/** The shorter side of an image, in pixels, below which details would only be noise. */
const DETAILED_FROM_PX = 200;

/** Things that need no ground to stand on. */
const AFLOAT: readonly Thing[] = ['boat', 'balloon', 'birds'];

/** An SVG of the scene that the prompt names: the same for the same prompt and index. */
export function sceneSvg({ prompt, index, width, height, isTransparent }: SceneOptions): string {
  const random = randomOf(`${prompt} ${index}`);
  const brief = readPrompt(prompt, random);
  const scale = Math.min(width, height) / 1000;
  const [viewWidth, viewHeight] = [round(width / scale), round(height / scale)];
  const horizon = round(viewHeight * (brief.water ? 0.6 : 0.63));
  const canvas: Canvas = { width: viewWidth, height: viewHeight, horizon, random };
  const palette = PALETTES[brief.time];
  const isDetailed = Math.min(width, height) >= DETAILED_FROM_PX;
  // Images of one call take turns.
  const side = randomOf(prompt)() < 0.5 === (index % 2 === 0) ? 0.3 : 0.7;
  const light = { x: round(viewWidth * (1 - side + (random() - 0.5) * 0.24)), y: lightHeight(brief, horizon, random()) };
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${viewWidth} ${viewHeight}" preserveAspectRatio="none">
${gradients(palette)}
${isTransparent ? '' : heavens(canvas, brief, palette, isDetailed, light)}
<g id="land">${background(canvas, brief, palette, isDetailed ? 4 : 2)}</g>
${brief.water ? water(canvas, palette, light) : ''}
${foreground(canvas, brief, palette, isDetailed, side)}
${isDetailed && brief.snow ? precipitation(canvas, 'snow', 260) : ''}${isDetailed && brief.rain ? precipitation(canvas, 'rain', 200) : ''}
${isDetailed ? caption(prompt, canvas) : ''}
</svg>`;
}

function lightHeight({ time }: Brief, horizon: number, chance: number): number {
  if (time === 'sunset' || time === 'dawn') return round(horizon - 90 - chance * 120);
  return round(horizon * (0.2 + chance * 0.22));
}

function heavens(canvas: Canvas, brief: Brief, palette: Palette, isDetailed: boolean, light: Point): string {
  const isHeavy = brief.time === 'storm';
  const starry = brief.time === 'night' && isDetailed ? stars(canvas, 240) : '';
  const cloudCount = !isDetailed ? 0 : isHeavy ? 16 : brief.time === 'night' ? 2 : 6;
  return `${sky(canvas)}${starry}${sunOrMoon(brief, palette, light)}${clouds(canvas, palette, cloudCount, isHeavy)}`;
}

/** The nearest ground, and on or above it the things of the prompt. */
function foreground(canvas: Canvas, brief: Brief, palette: Palette, isDetailed: boolean, side: number): string {
  const { width, height } = canvas;
  const isEmpty = brief.things.every((thing) => AFLOAT.includes(thing));
  const ground = brief.water
    ? shore(canvas, isEmpty ? side * 1.75 - 0.375 : side)
    : ridgeOf(canvas, 'hills', height * (brief.land === 'city' ? 0.76 : 0.86), 90);
  const color = groundColor(brief, palette, 1);
  const trees = isDetailed && brief.land === 'forest' && !brief.water ? forest(canvas, ground, 170, color) : '';
  const style = { palette, isDark: brief.time === 'night' || brief.time === 'storm' };
  const place = (thing: Thing, at: number) => {
    const x = round(width * (thing === 'boat' ? 0.5 : side) + (at % 2 === 0 ? 1 : -1) * Math.ceil(at / 2) * 210);
    const y = thing === 'boat' ? height * 0.79 : thing === 'balloon' || thing === 'birds' ? height * 0.27 : ground(x) + 6;
    return `<g transform="translate(${x} ${round(y)})">${THINGS[thing](style)}</g>`;
  };
  const things = brief.things.map(place).join('');
  return `${trees}${things}<path d="${outline(ground, canvas)}" fill="${color}"/>`;
}

/** A headland at one side that falls off into the water. */
function shore({ height, width, random }: Canvas, side: number): Ridge {
  const [center, reach, crest] = [width * side, 330 + random() * 120, height * 0.74];
  return (x: number) => {
    const distance = Math.abs(x - center) / reach;
    return crest + (height * 1.04 - crest) * Math.min(1, distance ** 2.2) + Math.sin(x / 31) * 5;
  };
}

/** The beginning of the prompt, in the corner. */
function caption(prompt: string, { width, height }: Canvas): string {
  const size = 27;
  const room = Math.floor((width - 80) / (size * 0.54));
  const line = prompt.replace(/\s+/g, ' ').trim();
  const text = line.length > room ? `${line.slice(0, room - 1).trimEnd()}…` : line;
  return `<rect y="${height - 190}" width="${width}" height="190" fill="url(#shade)"/>
<text x="40" y="${height - 38}" font-family="sans-serif" font-size="${size}" fill="#ffffff" opacity=".92">${escapeXml(text)}</text>`;
}

function escapeXml(text: string): string {
  return text.replace(/[<>&'"\p{Cc}]/gu, (character) => `&#${Math.max(32, character.charCodeAt(0))};`);
}
