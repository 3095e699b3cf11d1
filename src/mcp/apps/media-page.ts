import { MEDIA_SCRIPT } from './media-script.ts';

/** The system's colours have a light and a dark value each; the host's theme, or else the user's preference, picks one. */
const STYLE = `
:root { color-scheme: light dark; }
* { box-sizing: border-box; }
body {
  margin: 0;
  padding: 1rem;
  background: Canvas;
  color: CanvasText;
  font: .9375rem/1.5 system-ui, sans-serif;
  overflow-wrap: anywhere;
}
p { margin: 0; white-space: pre-line; }
p:not(:empty) { margin-bottom: .5rem; }
progress { width: 100%; }
div { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(14rem, 100%), 1fr)); gap: 1rem; }
figure { margin: 0; }
img, video { width: auto; max-width: 100%; height: auto; max-height: 28rem; border-radius: 8px; }
audio, video { width: 100%; }
figcaption { margin: .25rem 0 .5rem; }
small { display: block; color: light-dark(#565f6b, #a4adb8); }
small::first-letter { text-transform: uppercase; }
.bad { color: light-dark(#a3261b, #ff9d92); }
button, input { padding: .125rem .5rem; font: inherit; }
button { margin: 0 .75rem; }
input { width: 100%; margin-top: .5rem; }
:focus-visible { outline: 2px solid; outline-offset: 2px; }
`;

/** The page of the MCP App that shows media in a chat, under 8 KB: it may load nothing but media. Indented for readers only. */
export const MEDIA_PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Media</title>
<style>${STYLE}</style>
</head>
<body>
<p></p>
<progress aria-labelledby="note" max="100" hidden></progress>
<p id="note" role="status"></p>
<div></div>
<script>${MEDIA_SCRIPT}</script>
</body>
</html>
`.replaceAll(/^ +/gm, '');
