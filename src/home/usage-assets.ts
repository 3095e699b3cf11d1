/** The stylesheet of the usage page, after that of the home page. */
export const USAGE_STYLE = `
body { overflow-wrap: break-word; }
form { grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); align-items: end; }
label { display: grid; gap: .25rem; color: var(--soft); font-size: .875rem; }
input, select {
  width: 100%;
  margin: 0;
  padding: .35rem .6rem;
  border: 1px solid var(--line);
  border-radius: 6px;
  background: var(--back);
  color: var(--text);
  font: inherit;
  font-size: .875rem;
}
form button { padding-block: .35rem; }
form .outcome { grid-column: 1 / -1; margin: 0; color: var(--bad); }
.outcome:empty { display: none; }
.report h2 { margin-top: 2rem; }
.total { font-size: 1.75rem; font-weight: 600; line-height: 1.2; }
.bar { display: flex; height: .4rem; border-radius: 3px; overflow: hidden; background: var(--raised); }
.bar i { background: var(--link); }
.bar .held { opacity: .45; }
.budget { height: .75rem; }
.chart { display: flex; align-items: flex-end; gap: 2px; height: 9rem; border-bottom: 1px solid var(--line); }
.chart i { flex: 1; max-width: 3rem; min-height: 1px; border-radius: 2px 2px 0 0; background: var(--link); }
.axis { display: flex; justify-content: space-between; margin: .25rem 0 1rem; color: var(--soft); font-size: .8rem; }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
th, td { padding: .45rem 0 .45rem .75rem; border-bottom: 1px solid var(--line); text-align: right; font-weight: 400; vertical-align: top; }
thead th { color: var(--soft); font-size: .8rem; vertical-align: bottom; }
th:first-child { width: 40%; min-width: 6.5rem; padding-left: 0; text-align: left; overflow-wrap: anywhere; }
th .bar { margin-top: .3rem; }
.failed { color: var(--bad); }
details { border: 0; }
summary { padding-inline: 0; }
@media (max-width: 30rem) {
  table { font-size: .8rem; }
  th, td { padding-left: .5rem; }
}
`;

/** Fetches the report and draws it. What is in the report is only ever set as text. */
export const USAGE_SCRIPT = `
const form = document.querySelector('form');
const outcome = form.querySelector('.outcome');
const place = document.querySelector('.report');
form.hidden = false;
let report;
const el = (name, props, ...children) => {
  const element = Object.assign(document.createElement(name), props);
  element.append(...children);
  return element;
};
const short = (value) => value.toLocaleString('en', { notation: 'compact', maximumFractionDigits: 1 });
const usd = (value) => '$' + value.toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: value < 1 ? 4 : 2 });
const size = (bytes) => short(bytes).replace(/[KMBT]$/, ' $&B').replace(' BB', ' GB').replace(/\\d$/, '$& B');
const FORMATS = { cost_usd: usd, calls: short, tokens: short, bytes: size };
const tokens = (used) => used.input_tokens + used.output_tokens;
const valueOf = (used) => (form.measure.value === 'tokens' ? tokens(used) : used[form.measure.value]);
const show = (used) => FORMATS[form.measure.value](valueOf(used));
const measured = () => form.measure.selectedOptions[0].text;
const bar = (className, ...parts) => {
  const element = el('div', { className, ariaHidden: 'true' });
  for (const [share, part] of parts) element.append(el('i', { className: part }));
  parts.forEach(([share], index) => { element.children[index].style.width = 100 * share + '%'; });
  return element;
};
const table = (name, label, rows) => {
  const most = Math.max(...rows.map(valueOf)) || 1;
  const head = [name, 'Cost', 'Calls', 'Failed', 'Tokens', 'Files'].map((text) => el('th', { scope: 'col' }, text));
  const body = rows.map((used) => el('tr', {},
    el('th', { scope: 'row' }, used[label] || 'no model', bar('bar', [valueOf(used) / most, ''])),
    el('td', {}, usd(used.cost_usd)),
    el('td', {}, short(used.calls)),
    el('td', { className: used.failures ? 'failed' : '' }, short(used.failures)),
    el('td', { title: short(used.input_tokens) + ' in, ' + short(used.output_tokens) + ' out' }, short(tokens(used))),
    el('td', {}, used.files ? short(used.files) + ' · ' + size(used.bytes) : '0')));
  return el('div', { className: 'scroll' }, el('table', {}, el('thead', {}, el('tr', {}, ...head)), el('tbody', {}, ...body)));
};
const section = (title, ...children) => el('section', {}, el('h2', {}, title), ...children);
const budgetOf = ({ limit_usd, spent_usd, reserved_usd, left_usd }) => section('Budget of today',
  bar('bar budget', [Math.min(1, spent_usd / limit_usd), ''], [Math.min(1, reserved_usd / limit_usd), 'held']),
  el('p', {}, usd(spent_usd) + ' of ' + usd(limit_usd) + ' spent, ' + usd(reserved_usd) + ' set aside, ' + usd(left_usd) + ' left until midnight UTC.'));
const chart = (days) => {
  const most = Math.max(...days.map(valueOf));
  const label = 'A bar for each day: ' + measured() + ', at most ' + FORMATS[form.measure.value](most);
  const element = el('div', { className: 'chart', role: 'img', ariaLabel: label });
  for (const day of days) {
    const column = el('i', { title: day.date + ': ' + show(day) });
    column.style.height = 100 * valueOf(day) / (most || 1) + '%';
    element.append(column);
  }
  const axis = [days[0].date, 'at most ' + FORMATS[form.measure.value](most), days.at(-1).date];
  return [element, el('p', { className: 'axis' }, ...axis.map((text) => el('span', {}, text)))];
};
const draw = () => {
  const { scope, budget, totals, days } = report;
  place.replaceChildren(
    section(scope === 'all' ? 'All principals' : report.by_principal[0]?.principal ?? 'Nothing used yet',
      el('p', { className: 'total' }, usd(totals.cost_usd)),
      el('p', {}, [short(totals.calls) + ' calls', totals.failures + ' failed', short(tokens(totals)) + ' tokens', short(totals.files) + ' files (' + size(totals.bytes) + ')'].join(' · '))),
    ...(budget ? [budgetOf(budget)] : []),
    ...(days.length > 1 ? [section('By day', ...chart(days), el('details', {}, el('summary', {}, 'As a table'), table('Day', 'date', days.toReversed())))] : []),
    ...(totals.calls ? [
      ...(scope === 'all' ? [section('By principal', table('Principal', 'principal', report.by_principal))] : []),
      section('By tool', table('Tool', 'tool', report.by_tool)),
      section('By model', table('Model', 'model', report.by_model)),
    ] : []));
};
const load = async () => {
  outcome.textContent = '';
  try {
    const headers = { authorization: 'Bearer ' + form.key.value.trim(), accept: 'application/json' };
    const response = await fetch('usage?days=' + form.days.value, { headers });
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw new Error(answer.error?.message ?? 'The server returned ' + response.status + '.');
    report = answer;
    draw();
  } catch (error) {
    place.replaceChildren();
    report = undefined;
    outcome.textContent = error.message;
  }
};
form.addEventListener('submit', (event) => { event.preventDefault(); load(); });
form.days.addEventListener('change', () => { if (report) load(); });
form.measure.addEventListener('change', () => { if (report) draw(); });
`;
