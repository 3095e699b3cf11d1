import type { Time } from './palette.ts';
import { pick } from './random.ts';

export type Land = 'hills' | 'mountains' | 'forest' | 'city' | 'desert';
export type Thing = 'lighthouse' | 'boat' | 'lamp' | 'cat' | 'robot' | 'house' | 'balloon' | 'birds' | 'tree';

/** What is to be drawn. */
export type Brief = Readonly<{ time: Time; land: Land; water: boolean; snow: boolean; rain: boolean; things: readonly Thing[] }>;

const TIMES: readonly [Time, RegExp][] = [
  ['storm', /\b(storm|rain|thunder|fog|cloudy)/],
  ['night', /\b(night|midnight|moon|star|dark|lamp|lantern|space|aurora)/],
  ['sunset', /\b(sunset|evening|dusk|golden|twilight)/],
  ['dawn', /\b(dawn|sunrise|morning|mist|spring)/],
  ['day', /\b(day|noon|summer|blue|sunny|picnic)/],
];
const LANDS: readonly [Land, RegExp][] = [
  ['city', /\b(city|street|skyline|town|tower|robot|office|lamp)/],
  ['mountains', /\b(mountain|alp|peak|summit|volcano|cliff)/],
  ['forest', /\b(forest|wood|pine|fir|jungle|fox|bear|owl)/],
  ['desert', /\b(desert|dune|sand|camel|pyramid)/],
  ['hills', /\b(hill|meadow|field|farm|valley|island)/],
];
const THINGS: readonly [Thing, RegExp][] = [
  ['lighthouse', /\blighthouse/],
  ['boat', /\b(boat|ship|sail)/],
  ['lamp', /\b(lamp|lantern)/],
  ['cat', /\b(cat|kitten)/],
  ['robot', /\b(robot|android)/],
  ['house', /\b(house|cabin|hut|cottage|farm|home)/],
  ['balloon', /\bballoon/],
  ['birds', /\b(bird|gull|crow|swallow|geese)/],
  ['tree', /\b(tree|oak|park|picnic)\b/],
];
const WATER = /\b(sea|ocean|lake|river|water|boat|ship|harbou?r|coast|lighthouse|island|beach|wave|reflection)/;
const SNOW = /\b(snow|winter|ice|frost|christmas)/;
const RAIN = /\b(storm|rain|thunder)/;

/** Words of the prompt decide; what they leave open is left to chance. */
export function readPrompt(prompt: string, random: () => number): Brief {
  const text = prompt.slice(0, 2_000).toLowerCase();
  const first = <T>(table: readonly [T, RegExp][]): T | undefined => table.find(([, words]) => words.test(text))?.[0];
  const named = THINGS.filter(([, words]) => words.test(text)).map(([thing]) => thing);
  const time = first(TIMES) ?? pick<Time>(random, ['dawn', 'day', 'sunset', 'night']);
  const land = first(LANDS) ?? pick<Land>(random, ['hills', 'mountains', 'forest', 'hills']);
  const thing = pick<Thing>(random, ['birds', 'balloon', 'house', 'tree']);
  return {
    time,
    land,
    water: WATER.test(text) || (random() < 0.35 && !/\b(desert|street|lamp)/.test(text)),
    snow: SNOW.test(text),
    rain: RAIN.test(text) && !SNOW.test(text),
    things: named.length > 0 ? named : [land === 'city' ? 'lamp' : thing],
  };
}
