import type { Thing } from './brief.ts';
import { mix, type Palette } from './palette.ts';

/** What a drawing of a thing depends on, besides where it stands. */
export type Style = Readonly<{ palette: Palette; isDark: boolean }>;

/**
 * Each thing stands at the origin, about 300 units high; flying ones are drawn around it. Colors are those of the hour.
 */
export const THINGS: Readonly<Record<Thing, (style: Style) => string>> = {
  lighthouse: ({ palette, isDark }) => {
    const [white, red] = [mix('#f5f1e8', palette.near, isDark ? 0.35 : 0.12), mix('#c23b2e', palette.near, isDark ? 0.35 : 0.1)];
    const beams = `<path d="M0 -338L760 -470V-250Z" fill="url(#beam)" opacity=".5"/><path d="M0 -338L760 -470V-250Z" transform="scale(-1 1)" fill="url(#beam)" opacity=".5"/>`;
    return `${isDark ? beams : ''}<path d="M-46 20L-27 -300H27L46 20Z" fill="${white}"/>
<path d="M-42 -46L-38 -114H38L42 -46ZM-34 -182L-30 -250H30L34 -182Z" fill="${red}"/>
<path d="M-38 -310H38V-296H-38ZM-8 20V-24a8 8 0 0 1 16 0V20Z" fill="${palette.near}"/><rect x="-19" y="-358" width="38" height="50" fill="#ffe9a3"/>
<path d="M-19 -358v50M0 -358v50M19 -358v50" stroke="${palette.near}" stroke-width="4"/><path d="M-30 -356Q0 -402 30 -356Z" fill="${red}"/>
${isDark ? '<circle cy="-334" r="120" fill="url(#halo)"/>' : ''}`;
  },
  boat: ({ palette }) => {
    const paper = mix('#ffffff', palette.sky[2], 0.2);
    const [light, shade] = [mix(paper, palette.near, 0.04), mix(paper, palette.near, 0.22)];
    return `<path d="M-92 0L0 -120V0Z" fill="${light}"/><path d="M92 0L0 -120V0Z" fill="${shade}"/>
<path d="M-150 -58L0 -10V48H-92Z" fill="${light}"/><path d="M150 -58L0 -10V48H92Z" fill="${shade}"/><path d="M-150 -58L0 -10L150 -58L92 48H-92Z" fill="${mix(paper, palette.near, 0.1)}" opacity=".6"/>`;
  },
  lamp: ({
    palette,
  }) => `<circle cy="-352" r="330" fill="url(#halo)"/><path d="M-7 10L-4 -320H4L7 10ZM-16 10L-8 -40H8L16 10Z" fill="${palette.near}"/>
<path d="M-20 -320H20L29 -384H-29Z" fill="#ffe6a1"/><path d="M-34 -384H34L10 -412H-10ZM-22 -326H22V-316H-22Z" fill="${palette.near}"/>`,
  cat: ({
    palette,
  }) => `<g fill="${mix(palette.near, '#000000', 0.25)}"><path d="M-62 8C-66 -76 -40 -116 -8 -126C34 -112 58 -64 52 8Z"/><circle cx="-14" cy="-152" r="43"/>
<path d="M-53 -160L-52 -216L-18 -190ZM25 -160L24 -216L-10 -190Z"/><path d="M30 -4C104 6 124 -52 92 -98" fill="none" stroke="${mix(palette.near, '#000000', 0.25)}" stroke-width="17" stroke-linecap="round"/></g>
<g fill="${palette.window}"><ellipse cx="-30" cy="-156" rx="6" ry="9"/><ellipse cx="3" cy="-156" rx="6" ry="9"/></g>`,
  robot: ({ palette }) => {
    const [steel, dark] = [mix('#a9b8c4', palette.near, 0.25), mix('#3d4a57', palette.near, 0.4)];
    return `<path d="M-46 10V-60H-14V10ZM14 10V-60H46V10Z" fill="${dark}"/><rect x="-76" y="-222" width="152" height="172" rx="22" fill="${steel}"/>
<path d="M0 -330V-366" stroke="${dark}" stroke-width="7"/><circle cy="-372" r="11" fill="#ff7d5c"/><rect x="-66" y="-332" width="132" height="98" rx="26" fill="${steel}"/>
<rect x="-50" y="-308" width="100" height="46" rx="23" fill="${dark}"/><g fill="#7ff0e0"><circle cx="-22" cy="-285" r="12"/><circle cx="22" cy="-285" r="12"/></g>
<path d="M-112 -214L0 -196V-58L-112 -78ZM112 -214L0 -196V-58L112 -78Z" fill="#f3ecdc"/><path d="M0 -196V-58" stroke="#b9ae98" stroke-width="3"/>
<path d="M-96 -190l80 13M16 -177l80 -13" stroke="#4c4a45" stroke-width="11"/><path d="M-96 -160l80 13m-80 7l80 13m-80 7l60 10M16 -147l80 -13m-80 33l80 -13m-80 33l60 -10" stroke="#a59c89" stroke-width="6"/>
<circle cx="-108" cy="-142" r="21" fill="${steel}"/><circle cx="108" cy="-142" r="21" fill="${steel}"/>`;
  },
  house: ({
    palette,
  }) => `<path d="M-96 10V-104H96V10Z" fill="${mix(palette.near, palette.far, 0.28)}"/><path d="M-122 -98L0 -196L122 -98ZM52 -150V-206H80V-130Z" fill="${mix(palette.near, '#8c3b2e', 0.35)}"/>
<path d="M-68 -74h44v44h-44ZM24 -74h44v44h-44Z" fill="${palette.window}"/><path d="M-46 -74v44M-68 -52h44M46 -74v44M24 -52h44" stroke="${palette.near}" stroke-width="4"/>
<path d="M-16 10V-50h32V10Z" fill="${palette.near}"/><path d="M66 -216c-24 -30 22 -44 0 -78s16 -44 4 -74" fill="none" stroke="${palette.light}" stroke-width="11" stroke-linecap="round" opacity=".35"/>`,
  balloon: ({ palette }) => {
    const [red, cream] = [mix('#d4523f', palette.near, 0.1), mix('#f6e7c8', palette.near, 0.08)];
    const half = (dx: number) => `M0 -150C${dx} -150 ${dx} 10 ${dx * 0.18} 70H0Z`;
    return `<path d="${half(140)}${half(-140)}" fill="${red}"/><path d="${half(84)}${half(-84)}" fill="${cream}"/><path d="${half(34)}${half(-34)}" fill="${red}"/>
<path d="M-22 70L-15 112M22 70L15 112" stroke="${palette.near}" stroke-width="3"/><rect x="-19" y="110" width="38" height="28" rx="5" fill="${mix('#6d4a2f', palette.near, 0.3)}"/>`;
  },
  birds: ({ palette }) =>
    `<path d="${[
      [0, 0, 30],
      [84, -34, 23],
      [-78, -46, 25],
      [150, 22, 18],
      [-150, -8, 19],
    ]
      .map(
        ([x, y, wing = 0]) =>
          `M${x} ${y}q${-wing * 0.5} ${-wing * 0.75} ${-wing} ${-wing * 0.3}M${x} ${y}q${wing * 0.5} ${-wing * 0.75} ${wing} ${-wing * 0.3}`,
      )
      .join('')}" fill="none" stroke="${palette.near}" stroke-width="5" stroke-linecap="round"/>`,
  tree: ({ palette }) => `<path d="M-15 12C-8 -60 -10 -100 -12 -150H12C10 -100 8 -60 17 12Z" fill="${palette.near}"/>
<g fill="${mix(palette.near, palette.far, 0.18)}"><circle cx="-72" cy="-190" r="76"/><circle cx="70" cy="-196" r="80"/><circle cy="-262" r="96"/><circle cy="-172" r="82"/></g>`,
};
