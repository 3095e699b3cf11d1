import { html, raw } from 'hono/html';
import { clientSnippets, KEY_PLACEHOLDER } from '../../src/home/snippets.ts';
import type { GalleryOptions } from './gallery.ts';
import { STYLE } from './gallery-style.ts';

/** A stored file. `title` is the prompt, or the file's name where the prompt is not known. */
export type Exhibit = Readonly<{ url: string; contentType: string; bytes: number; title: string; poster: string | undefined }>;

type Html = ReturnType<typeof html>;
type PageOptions = GalleryOptions & Readonly<{ exhibits: readonly Exhibit[]; nonce: string }>;

/** The demo's page. It has no script: reloading it shows what has been made since. */
export function galleryPage({ gatewayUrl, key, exhibits, outcomes, nonce }: PageOptions): Html {
  const audio = exhibits.filter(({ contentType }) => contentType.startsWith('audio/'));
  const visual = exhibits.filter((exhibit) => !audio.includes(exhibit));
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>OpenAI MCP Gateway: demo</title>
<link rel="icon" href="data:,">
<style nonce="${nonce}">${raw(STYLE)}</style>
</head>
<body>
<header>
<h1>OpenAI MCP Gateway <span>demo</span></h1>
<p>Made through the gateway by stand-ins on this machine; nothing is billed. Connect your own client, let it make something, and reload this page.</p>
<dl>
<div><dt>MCP endpoint</dt><dd><code>${gatewayUrl}/mcp</code></dd></div>
<div><dt>Bearer token</dt><dd><code>${key}</code></dd></div>
<div><dt>Gateway</dt><dd><a href="${gatewayUrl}/">Open its page</a></dd></div>
</dl>
</header>
<main>
<h2>Gallery</h2>
${visual.length > 0 ? html`<div class="gallery">${visual.map(exhibitOf)}</div>` : html`<p>Nothing yet: the first calls are running. Reload in a moment.</p>`}
${audio.length > 0 ? html`<h2>Speech</h2><div class="narrow">${audio.map(exhibitOf)}</div>` : ''}
${answersOf(outcomes)}
<h2>Connect a client</h2>
${clientSnippets(gatewayUrl).map(
  ({ client, where, text }, index) => html`<details name="client"${index === 0 ? raw(' open') : ''}><summary>${client}</summary>
<p>${where}</p>
<pre tabindex="0" aria-label="Settings for ${client}"><code>${text.replaceAll(KEY_PLACEHOLDER, key)}</code></pre></details>`,
)}
</main>
</body>
</html>`;
}

function exhibitOf({ url, contentType, bytes, title, poster }: Exhibit): Html {
  const size = bytes < 1_000_000 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
  return html`<figure>
${mediumOf({ url, contentType, title, poster })}
<figcaption>${title} <small><a href="${url}">${url.split('.').at(-1)}<span class="unseen"> file of ${title}</span></a>, ${size}</small></figcaption>
</figure>
`;
}

function mediumOf({ url, contentType, title, poster }: Omit<Exhibit, 'bytes'>): Html {
  const preview = poster ? html` poster="${poster}"` : '';
  if (contentType.startsWith('video/'))
    return html`<video src="${url}"${preview} controls loop muted playsinline preload="metadata" aria-label="${title}"></video>`;
  if (contentType.startsWith('audio/')) return html`<audio src="${url}" controls preload="metadata" aria-label="${title}"></audio>`;
  return html`<a href="${url}"><img src="${url}" alt="${title}"></a>`;
}

function answersOf(outcomes: PageOptions['outcomes']): Html | string {
  const answers = outcomes.filter(({ call }) => call.name === 'chat_completion');
  if (answers.length === 0) return '';
  return html`<h2>Chat</h2>
${answers.map(({ call, text }) => html`<blockquote><p>${String(call.arguments.prompt)}</p><p>${text}</p></blockquote>`)}`;
}
