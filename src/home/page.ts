import { html, raw } from 'hono/html';
import { SCRIPT, STYLE } from './assets.ts';
import { clientSnippets, type Snippet } from './snippets.ts';

/** The static description of the product. */
export type About = Readonly<{
  name: string;
  title: string;
  version: string;
  description: string;
  /** The URL of the documentation, if any. */
  homepage: string | undefined;
  tools: readonly Readonly<{ name: string; title: string; description: string }>[];
}>;

/** Whether the gateway is serving and, if misconfigured, which variables to correct. Never contains values. */
export type HomeStatus = Readonly<
  { status: 'ready' | 'draining' } | { status: 'not_configured'; problems: readonly Readonly<{ variable: string; problem: string }>[] }
>;

type Html = ReturnType<typeof html>;

/** Calls `create_upload` with the user's key, and sends the file. The script reveals it, and does the work. */
const UPLOAD_FORM = html`<form hidden>
<h2>Hand over a file</h2>
<p>Stores an image or audio file from this computer, and gives its URL, which an agent can pass to a tool. The key is not kept.</p>
<label>MCP_SERVER_API_KEY <input name="key" type="password" autocomplete="off" required></label>
<label>File <input name="file" type="file" accept="image/*,audio/*,video/mp4,video/webm" required></label>
<button>Upload</button>
<p class="outcome" role="alert"></p>
<div hidden>${copyable('', 'The URL of the file', 'the URL of the file')}</div>
</form>`;

const STATUS_WORDS = { ready: 'Ready', draining: 'Shutting down', not_configured: 'Not configured' } as const;

const KEY_NOTE = 'Every request needs a bearer token. Replace <MCP_SERVER_API_KEY> below with your key.';

/** Renders the page from what varies by request: the requested origin and the status. */
export function createHomePage(about: About): (origin: string, status: HomeStatus) => Html {
  const head = headOf(about, STYLE);
  const tools = toolsOf(about);
  const footer = footerOf(about);
  return (origin, status) => html`<!doctype html>
<html lang="en">
${head}
<body>
<header>
<h1>${about.title}</h1>
<p class="facts"><span class="status ${status.status}">${STATUS_WORDS[status.status]}</span> <span>Version ${about.version}</span></p>
<p>${about.description}</p>
</header>
<main>
${status.status === 'not_configured' ? problemsOf(status.problems) : ''}
<h2>MCP endpoint</h2>
${copyable(`${origin}/mcp`, KEY_NOTE, 'the URL of the MCP endpoint')}
<h2>Connect a client</h2>
${clientSnippets(origin).map(clientOf)}
${UPLOAD_FORM}
${tools}
</main>
${footer}
<p class="unseen" role="status"></p>
<script>${raw(SCRIPT)}</script>
</body>
</html>
`;
}

/** The empty icon keeps browsers from asking for /favicon.ico. */
export function headOf({ title, description }: Pick<About, 'title' | 'description'>, style: string): Html {
  return html`<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="description" content="${description}">
<meta name="color-scheme" content="light dark">
<title>${title}</title>
<link rel="icon" href="data:,">
<style>${raw(style)}</style>
</head>`;
}

function problemsOf(problems: readonly { variable: string; problem: string }[]): Html {
  return html`<h2>Variables to correct</h2>
<p>Until they are corrected, every call fails with this list.</p>
<ul class="problems">${problems.map(({ variable, problem }) => html`<li><code>${variable}</code> ${problem}</li>`)}</ul>`;
}

function clientOf({ client, where, text }: Snippet, index: number): Html {
  return html`<details${index === 0 ? raw(' open') : ''}>
<summary><h3>${client}</h3></summary>
${copyable(text, where, `the snippet for ${client}`)}
</details>
`;
}

/** The script reveals the button. */
function copyable(text: string, note: string, label: string): Html {
  return html`<div class="snippet">
<p>${note}</p>
<button type="button" hidden>Copy<span class="unseen"> ${label}</span></button>
<pre><code>${text}</code></pre>
</div>`;
}

function toolsOf({ tools }: About): Html {
  const items = tools.map(({ name, title, description }) => html`<li><h3>${title}</h3> <code>${name}</code><p>${description}</p></li>\n`);
  return html`<h2>Tools</h2>
<ul class="tools">
${items}</ul>`;
}

function footerOf({ homepage }: About): Html {
  const documentation = homepage ? html`<a href="${homepage}">Documentation</a> · ` : '';
  return html`<footer><p>${documentation}<a href="usage">Usage and costs</a> · <a href="https://modelcontextprotocol.io">About the Model Context Protocol</a></p></footer>`;
}
