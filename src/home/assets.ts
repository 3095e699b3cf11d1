/** The stylesheet of the home page. Each colour has a light and a dark value; the browser follows the user's preference. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --back: light-dark(#fff, #15181c);
  --raised: light-dark(#f5f6f8, #1e2329);
  --line: light-dark(#d8dce2, #363d46);
  --text: light-dark(#1b1f24, #e8ebef);
  --soft: light-dark(#565f6b, #a4adb8);
  --link: light-dark(#0a58ca, #82b4ff);
  --good: light-dark(#17693a, #7fd6a0);
  --bad: light-dark(#a3261b, #ff9d92);
}
* { box-sizing: border-box; }
body {
  max-width: 46rem;
  margin: 0 auto;
  padding: 2.5rem 1rem 3rem;
  background: var(--back);
  color: var(--text);
  font: 1rem/1.55 system-ui, sans-serif;
  overflow-wrap: anywhere;
}
h1 { margin: 0; font-size: 1.75rem; line-height: 1.2; }
h2 { margin: 2.5rem 0 .75rem; font-size: 1.2rem; }
h3 { margin: 0; font-size: 1rem; }
p { margin: .5rem 0; }
a { color: var(--link); }
code { font: .875rem/1.5 ui-monospace, "SFMono-Regular", Consolas, monospace; }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; }
.facts { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin: .5rem 0 1rem; color: var(--soft); }
.status::before { content: "\\25cf"; margin-right: .4em; }
.status { color: var(--bad); font-weight: 600; }
.status.ready { color: var(--good); }
details { border: 1px solid var(--line); border-bottom: 0; }
details:first-of-type { border-radius: 8px 8px 0 0; }
details:last-of-type { border-bottom: 1px solid var(--line); border-radius: 0 0 8px 8px; }
summary { padding: .65rem 1rem; cursor: pointer; }
summary h3 { display: inline; margin-left: .25rem; }
details .snippet { padding: 0 1rem 1rem; }
.snippet { display: grid; grid-template-columns: 1fr auto; gap: .5rem 1rem; align-items: center; }
.snippet p { margin: 0; color: var(--soft); }
pre { grid-column: 1 / -1; margin: 0; padding: .75rem 1rem; border-radius: 6px; background: var(--raised); white-space: pre-wrap; }
button {
  min-width: 5.25rem;
  padding: .3rem .6rem;
  border: 1px solid var(--line);
  border-radius: 6px;
  background: var(--back);
  color: var(--text);
  font: inherit;
  font-size: .875rem;
  cursor: pointer;
}
button:hover { border-color: var(--link); color: var(--link); }
form { display: grid; gap: .75rem; justify-items: start; }
form h2, form p { margin-bottom: 0; }
form > div { width: 100%; }
form > div[hidden], form[hidden] { display: none; }
input { max-width: 100%; margin-left: .5rem; padding: .3rem .6rem; font: inherit; font-size: .875rem; }
.tools, .problems { margin: 0; padding: 0; list-style: none; }
.tools li { padding: .75rem 0; border-top: 1px solid var(--line); }
.tools h3 { display: inline; margin-right: .5rem; }
.tools code { color: var(--soft); }
.problems li { padding: .4rem 1rem; border-left: 3px solid var(--bad); background: var(--raised); }
footer { margin-top: 2.5rem; padding-top: 1rem; border-top: 1px solid var(--line); }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
@media (max-width: 30rem) {
  body { padding-top: 1.5rem; }
  summary { padding-inline: .5rem; }
  details .snippet { padding: 0 .5rem .5rem; }
  pre { padding: .5rem; }
  pre code { font-size: .8rem; }
}
`;

/**
 * Reveals the copy buttons and the form, which need JavaScript. Where the clipboard is unavailable (plain HTTP from another machine),
 * a button selects its snippet for manual copying.
 */
export const SCRIPT = `
const announcement = document.querySelector('[role=status]');
for (const button of document.querySelectorAll('.snippet button')) {
  const label = button.firstChild;
  let reset;
  const announce = (text) => {
    label.data = announcement.textContent = text;
    clearTimeout(reset);
    reset = setTimeout(() => { label.data = 'Copy'; announcement.textContent = ''; }, 2000);
  };
  button.hidden = false;
  button.addEventListener('click', async () => {
    const code = button.parentElement.querySelector('code');
    try {
      await navigator.clipboard.writeText(code.textContent);
      announce('Copied');
    } catch {
      getSelection().selectAllChildren(code);
      announce('Selected');
    }
  });
}
const form = document.querySelector('form');
form.hidden = false;
const readError = async (response) => {
  const { error, result } = await response.json().catch(() => ({}));
  return error?.message ?? result?.content[0].text ?? 'The server answered ' + response.status + '.';
};
const upload = async (key, file) => {
  const headers = { authorization: 'Bearer ' + key, 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  const params = { name: 'create_upload', arguments: {} };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
  const called = await fetch('mcp', { method: 'POST', headers, body });
  const { structuredContent: ticket } = (await called.clone().json().catch(() => ({}))).result ?? {};
  if (!ticket) throw new Error(await readError(called));
  if (file.size > ticket.max_bytes) throw new Error('The file is larger than ' + ticket.max_bytes + ' bytes.');
  const stored = await fetch('uploads/' + ticket.upload_url.split('/').pop(), { method: 'PUT', body: file });
  if (!stored.ok) throw new Error(await readError(stored));
  return ticket.url;
};
form.addEventListener('submit', async (event) => {
  event.preventDefault();
  const [outcome, shown, button] = ['.outcome', 'div', ':scope > button'].map((selector) => form.querySelector(selector));
  shown.hidden = true;
  button.disabled = true;
  outcome.textContent = 'Uploading…';
  try {
    form.querySelector('code').textContent = await upload(form.key.value.trim(), form.file.files[0]);
    shown.hidden = false;
    outcome.textContent = 'Stored.';
  } catch (error) {
    outcome.textContent = error.message;
  }
  button.disabled = false;
});
`;
