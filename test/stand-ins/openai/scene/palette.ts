export type Time = 'dawn' | 'day' | 'sunset' | 'night' | 'storm';

/** The colors of one time of day; `sky` from the zenith to the horizon, land from `far` to `near`. */
export type Palette = Readonly<{ sky: readonly [string, string, string]; light: string; far: string; near: string; window: string }>;

export const PALETTES: Readonly<Record<Time, Palette>> = {
  dawn: { sky: ['#4a5a93', '#c58fa4', '#fbdcb0'], light: '#fff3d6', far: '#b594ab', near: '#2c3355', window: '#ffdf9e' },
  day: { sky: ['#3c83c6', '#8cc3ea', '#eaf5f4'], light: '#fffbe8', far: '#a5c8d4', near: '#2a5b4c', window: '#dff1ff' },
  sunset: { sky: ['#2d2f63', '#c9584a', '#fdba55'], light: '#fff0c2', far: '#b2525a', near: '#231b38', window: '#ffd27a' },
  night: { sky: ['#050a1e', '#12244a', '#34558a'], light: '#f6f2df', far: '#2d4872', near: '#060c1b', window: '#ffd87f' },
  storm: { sky: ['#18222d', '#3d4f5c', '#8fa0a5'], light: '#cfd8dc', far: '#5a6d78', near: '#111920', window: '#ffd98a' },
};

/** The color at `share` of the way from one to the other; both as `#rrggbb`. */
export function mix(from: string, to: string, share: number): string {
  const channel = (at: number) => {
    const start = Number.parseInt(from.slice(at, at + 2), 16);
    const end = Number.parseInt(to.slice(at, at + 2), 16);
    return Math.round(start + (end - start) * share)
      .toString(16)
      .padStart(2, '0');
  };
  return `#${channel(1)}${channel(3)}${channel(5)}`;
}
