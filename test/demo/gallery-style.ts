/** The style of the demo's page, light and dark. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --back: light-dark(#faf9f7, #121519);
  --raised: light-dark(#fff, #1c2127);
  --line: light-dark(#e2dfd9, #313841);
  --text: light-dark(#1d2026, #e9ecf0);
  --soft: light-dark(#5d6470, #a3acb8);
  --link: light-dark(#0a58ca, #82b4ff);
  --warm: light-dark(#b4483a, #ff9d7d);
}
* { box-sizing: border-box; }
body {
  max-width: 76rem;
  margin: 0 auto;
  padding: 2.5rem 1.25rem 4rem;
  background: var(--back);
  color: var(--text);
  font: 1rem/1.55 system-ui, sans-serif;
  overflow-wrap: anywhere;
}
h1 { margin: 0; font-size: 2rem; line-height: 1.2; letter-spacing: -.01em; }
h1 span { color: var(--warm); font-weight: 400; }
h2 { margin: 2.75rem 0 1rem; font-size: 1.25rem; }
p { max-width: 46rem; margin: .5rem 0; }
header p { color: var(--soft); }
a { color: var(--link); }
code { font: .875rem/1.5 ui-monospace, "SFMono-Regular", Consolas, monospace; }
dd code { user-select: all; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 3px; border-radius: 4px; }
dl { display: flex; flex-wrap: wrap; gap: .75rem; margin: 1.25rem 0 0; }
dl div, details, blockquote, figure { border: 1px solid var(--line); border-radius: 10px; background: var(--raised); }
dl div { padding: .6rem 1rem; }
dt { color: var(--soft); font-size: .8rem; }
dd { margin: 0; }
.gallery { columns: 19rem; column-gap: 1.25rem; }
figure { margin: 0 0 1.25rem; overflow: hidden; break-inside: avoid; }
figure > a { display: block; }
figure > a:focus-visible { outline-offset: -3px; }
img, video { display: block; width: 100%; height: auto; }
audio { display: block; width: 100%; padding: 1rem 1rem 0; }
figcaption { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1rem; padding: .65rem 1rem .75rem; }
small { color: var(--soft); }
blockquote { margin: 0 0 1rem; padding: .6rem 1rem; }
blockquote p:first-child { color: var(--soft); }
details { margin-bottom: .5rem; }
.narrow, blockquote, details { max-width: 46rem; }
summary { padding: .6rem 1rem; cursor: pointer; }
details p { padding: 0 1rem; color: var(--soft); }
pre { margin: .5rem 1rem 1rem; padding: .75rem 1rem; border-radius: 6px; background: var(--back); white-space: pre-wrap; }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
`;
