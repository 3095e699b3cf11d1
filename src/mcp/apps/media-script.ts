/**
 * JSON-RPC with the host, which alone is heard (MCP Apps 2026-01-26, communication protocol). An error counts as a
 * result, so that no request fails. `turn` changes with what is shown: an answer for anything else is dropped.
 */
const HOST = `
const [ask, bar, note, list] = document.body.children;
const host = {}, waiting = [];
let asked = '', turn = 0;
const send = (message) => parent.postMessage({ jsonrpc: '2.0', ...message }, '*');
const request = (method, params) => new Promise((resolve) => send({ id: waiting.push(resolve), method, params }));
const adapt = ({ theme }) => {
  if (theme) document.documentElement.style.colorScheme = theme;
};
const on = {
  __proto__: null,
  ping() {},
  'ui/notifications/tool-input'({ arguments: args }) {
    ask.textContent = asked = cut(args?.prompt ?? args?.input) || asked;
    say('Working…', 'busy');
  },
  'ui/notifications/tool-result': show,
  'ui/notifications/tool-cancelled'({ reason }) {
    turn++;
    say('Cancelled. ' + cut(reason));
  },
  'ui/notifications/host-context-changed': adapt,
  'ui/resource-teardown'() {
    turn++;
    for (const player of list.querySelectorAll('audio, video')) player.pause();
  },
};
addEventListener('message', ({ source, data }) => {
  if (source !== parent || data?.jsonrpc !== '2.0') return;
  const { id, method, params = {}, result, error } = data;
  if (!method) return waiting[id - 1]?.(error ? { isError: true } : result);
  on[method]?.(params);
  if (id !== undefined) send(on[method] ? { id, result: {} } : { id, error: { code: -32601, message: 'Method not found' } });
});
`;

/** What comes from outside becomes text of bounded length, or the URL of a link or a medium if its scheme is safe. */
const ELEMENTS = String.raw`
const cut = (text, max = 300) => typeof text !== 'string' ? '' : text.length > max ? text.slice(0, max) + '…' : text;
const say = (text, className = '') => {
  Object.assign(note, { textContent: text, className });
  bar.hidden = className !== 'busy';
};
const make = (tag, properties, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};
const safe = (url) => {
  const { protocol, hostname, href } = URL.canParse(url) ? new URL(url) : {};
  const isSafe = protocol === 'https:' || (protocol === 'http:' && /^(localhost|127\.[\d.]+|\[::1])$/.test(hostname));
  return isSafe ? href : '';
};
`;

/** One file: the medium, what is known of it, and its link, which takes the place of what the host does not let load. */
const FIGURE = `
const TAGS = { __proto__: null, image: 'img', audio: 'audio', video: 'video' };
const sizeOf = (bytes) => bytes >= 1e6 ? (bytes / 1e6).toFixed(1) + ' MB' : bytes > 0 && Math.ceil(bytes / 1e3) + ' kB';
const dateOf = (text) => text && new Date(text).toLocaleString();
function figure(file, index, { length }) {
  const { width, height, seconds, voice, bytes, model } = file;
  const url = safe(file.url), type = cut(file.content_type).split('/')[0], tag = TAGS[type];
  const name = (tag ? type : 'file') + (length > 1 ? \` \${index + 1} of \${length}\` : '');
  const text = cut(file.revised_prompt ?? file.prompt);
  const label = name + ': ' + (text || asked);
  const facts = [name, width > 0 && width + ' × ' + height, seconds && seconds + ' s', voice, sizeOf(bytes), model,
    dateOf(file.created_at), file.expires_at && 'link valid until ' + dateOf(file.expires_at)];
  const caption = make('figcaption', {}, text, make('small', {}, cut(facts.filter(Boolean).join(' · '))));
  if (!url) return make('figure', {}, caption, cut(file.url));

  const said = make('output');
  const field = make('input', { value: url, readOnly: true, hidden: true, ariaLabel: 'Link to ' + name });
  const select = (why) => {
    field.hidden = false;
    field.select();
    said.textContent = why;
  };
  const link = (properties) => make('a', { href: url, target: '_blank', ...properties, async onclick(event) {
    if (!host.openLinks) return;
    event.preventDefault();
    if ((await request('ui/open-link', { url })).isError) select('The host did not open it.');
  } });
  const copy = make('button', { textContent: 'Copy link', ariaLabel: 'Copy link to ' + name, async onclick() {
    try {
      await navigator.clipboard.writeText(url);
      said.textContent = 'Copied.';
    } catch {
      select('Press Ctrl+C or ⌘C.');
      if (document.execCommand('copy')) said.textContent = 'Copied.';
    }
  } });
  const medium = tag ? make(tag, {
    onerror: () => medium.replaceWith('This ' + type + ' cannot be shown here. ', link({ textContent: 'Open it in the browser.' })),
    alt: label, ariaLabel: label, controls: true, preload: 'metadata', poster: safe(file.poster), src: url,
    ...(width > 0 && { width, height }),
  }) : '';
  return make('figure', {}, medium, caption, link({ textContent: 'Open', ariaLabel: 'Open ' + name }), copy, said, field);
}
`;

/**
 * A result of any tool. The page waits on for a job that runs only where it can tell the model of the end: a model that
 * knows nothing of a collected result might repeat the call, and pay again.
 */
const RESULT = String.raw`
const lines = (texts) => [...texts].map((text) => cut(text, 2000)).filter(Boolean).join('\n');
const textOf = (content) => lines((content ?? []).map(({ text }) => text));
function filesOf({ images, media, video, thumbnail, ...file }) {
  const files = images ?? media ?? (video ? [{ ...video, poster: thumbnail?.url }] : file.url ? [file] : []);
  return files.slice(0, 100).map((one) => ({ model: file.model, seconds: file.seconds, ...one }));
}
function show({ isError, content, structuredContent }) {
  const result = structuredContent ?? {};
  turn++;
  if (result.status === 'in_progress') return follow(result);
  const files = filesOf(result);
  const warnings = new Set([...(result.failures ?? []), result.warning, ...files.map(({ warning }) => warning)]);
  if (files.length > 0) say(lines(warnings), 'bad');
  else say(textOf(content), isError ? 'bad' : '');
  list.replaceChildren(...files.map(figure));
}
async function follow(result) {
  const { job_id, video_id, progress, next_step } = result;
  const mine = turn, name = /call (\w+) with/.exec(next_step)?.[1];
  const isFollowed = host.serverTools && host.updateModelContext && name;
  if (progress >= 0) bar.value = progress;
  say('Still running' + (progress >= 0 ? ', ' + progress + '% complete' : '')
    + (isFollowed ? '. The result will appear here.' : '. Ask for the result in the chat.'), 'busy');
  if (!isFollowed) return;
  await new Promise((resolve) => setTimeout(resolve, 5000));
  if (mine !== turn) return;
  const args = { ...(job_id ? { job_id } : { video_id }), wait_seconds: 20 };
  const answer = await request('tools/call', { name, arguments: args });
  if (!answer.content) {
    delete host.serverTools;
    answer.structuredContent = result;
  } else if (answer.structuredContent?.status !== 'in_progress') {
    const text = 'Shown to the user, the result of ' + (job_id ?? video_id) + ': ' + textOf(answer.content);
    request('ui/update-model-context', { content: [{ type: 'text', text }] });
  }
  if (mine === turn) show(answer);
}
`;

const START = `
request('ui/initialize', {
  appInfo: { name: 'gateway-media', version: '1.0.0' },
  appCapabilities: { availableDisplayModes: ['inline'] },
  protocolVersion: '2026-01-26',
}).then(({ hostCapabilities, hostContext = {} }) => {
  Object.assign(host, hostCapabilities);
  adapt(hostContext);
  send({ method: 'ui/notifications/initialized' });
  const root = document.documentElement;
  new ResizeObserver(() => {
    send({ method: 'ui/notifications/size-changed', params: { height: Math.ceil(root.getBoundingClientRect().height) } });
  }).observe(root);
});
`;

/** The script of the page. */
export const MEDIA_SCRIPT = [HOST, ELEMENTS, FIGURE, RESULT, START].join('');
