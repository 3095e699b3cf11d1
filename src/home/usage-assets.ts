/** The stylesheet of the usage page, after that of the home page. */
export const USAGE_STYLE = `
form { grid-template-columns: repeat(auto-fit, minmax(9rem, 1fr)); align-items: end; justify-items: stretch; margin-top: 1.5rem; }
label { display: grid; gap: .25rem; color: var(--soft); font-size: .875rem; }
input, select, form button { width: 100%; height: 2.25rem; margin: 0; padding: 0 .6rem; font: inherit; font-size: .875rem; }
input, select { border: 1px solid var(--line); border-radius: 6px; background: var(--back); color: var(--text); }
form .outcome { grid-column: 1 / -1; color: var(--bad); }
.outcome:empty { display: none; }
.total { font-size: 1.75rem; font-weight: 600; line-height: 1.2; }
.bar { display: flex; height: .4rem; margin-top: .3rem; border-radius: 3px; overflow: hidden; background: var(--raised); }
.budget { height: .75rem; }
.bar i, .chart i { background: var(--link); }
.bar .held { opacity: .45; }
.chart { display: flex; align-items: flex-end; gap: 2px; height: 9rem; border-bottom: 1px solid var(--line); }
.chart i { flex: 1; min-height: 1px; border-radius: 2px 2px 0 0; }
.axis { display: flex; justify-content: space-between; margin: .25rem 0 1rem; color: var(--soft); font-size: .8rem; }
.report details { border: 0; }
.report summary { padding-inline: 0; }
table { width: 100%; border-collapse: collapse; font-size: .875rem; font-variant-numeric: tabular-nums; }
tr { border-bottom: 1px solid var(--line); }
th, td { padding: .45rem 0 .45rem .75rem; text-align: right; font-weight: 400; vertical-align: top; overflow-wrap: normal; }
thead th { color: var(--soft); font-size: .8rem; }
th:first-child { width: 40%; padding-left: 0; text-align: left; overflow-wrap: anywhere; }
.failed { color: var(--bad); }
@media (max-width: 38rem) {
  table, thead, tbody { display: block; font-size: .8rem; }
  tr { display: grid; grid-template-columns: 1.2fr .9fr .8fr 1fr 2fr; column-gap: .3rem; padding: .35rem 0; }
  th, td { padding: .15rem 0; }
  th:first-child { grid-column: 1 / -1; width: auto; }
}
`;

/** Fetches the report and draws it. What the report says only ever becomes text. */
export const USAGE_SCRIPT = `
const form = document.querySelector('form');
const outcome = document.querySelector('.outcome');
const place = document.querySelector('.report');
const announcement = document.querySelector('[role=status]');
let report;
const count = (value) => value.toLocaleString('en');
const short = (value) => value.toLocaleString('en', { notation: 'compact', maximumSignificantDigits: 3 });
const usd = (value) => '$' + value.toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: value < 1 ? 4 : 2 });
const size = (value) => short(value).replace('B', 'G').replace(/[KMGT]?$/, '\\u00a0$&B');
const FORMATS = { cost_usd: usd, calls: count, tokens: short, bytes: size };
const format = (value) => FORMATS[form.measure.value](value);
const valueOf = (used) => used[form.measure.value];
const highest = (list) => Math.max(0, ...list.map(valueOf));
const el = (name, props, ...children) => {
  const element = Object.assign(document.createElement(name), props);
  element.append(...children);
  return element;
};
const part = (side, share, props) => {
  const element = el('i', props);
  element.style[side] = 100 * Math.min(1, share || 0) + '%';
  return element;
};
const bar = (className, ...parts) => el('div', { className: 'bar ' + className, ariaHidden: 'true' }, ...parts);
const section = (title, ...children) => el('section', {}, el('h2', {}, title), ...children);
const table = (title, list) => {
  const key = title.toLowerCase();
  const head = [title, 'Cost', 'Calls', 'Failed', 'Tokens', 'Files'].map((text) => el('th', { scope: 'col' }, text));
  const rows = list.map((used) => el('tr', {},
    el('th', { scope: 'row' }, used[key] || 'no model', bar('', part('width', valueOf(used) / highest(list)))),
    el('td', {}, usd(used.cost_usd)),
    el('td', {}, count(used.calls)),
    el('td', { className: used.failures ? 'failed' : '' }, count(used.failures)),
    el('td', { title: count(used.input_tokens) + ' in, ' + count(used.output_tokens) + ' out' }, short(used.tokens)),
    el('td', {}, used.files ? count(used.files) + ' · ' + size(used.bytes) : '0')));
  return el('table', {}, el('thead', {}, el('tr', {}, ...head)), el('tbody', {}, ...rows));
};
const byDay = (days) => {
  const columns = days.map((day) => part('height', valueOf(day) / highest(days), { title: day.date + ': ' + format(valueOf(day)) }));
  const axis = [days[0].date, 'highest ' + format(highest(days)), days.at(-1).date].map((text) => el('span', {}, text));
  return section('By day',
    el('div', { className: 'chart', ariaHidden: 'true' }, ...columns),
    el('p', { className: 'axis' }, ...axis),
    el('details', {}, el('summary', {}, 'As a table'), table('Date', days.toReversed())));
};
const budgetOf = ({ limit_usd, spent_usd, reserved_usd, left_usd }) => section('Budget today',
  bar('budget', part('width', spent_usd / limit_usd), part('width', reserved_usd / limit_usd, { className: 'held' })),
  el('p', {}, usd(spent_usd) + ' of ' + usd(limit_usd) + ' spent, ' + usd(reserved_usd) + ' set aside, ' + usd(left_usd) + ' left until midnight UTC.'));
const draw = () => {
  const { scope, budget, totals, days, by_principal, by_tool, by_model } = report;
  const words = [count(totals.calls) + ' calls', count(totals.failures) + ' failed', short(totals.tokens) + ' tokens', count(totals.files) + ' files, ' + size(totals.bytes)];
  const whose = scope === 'all' ? 'All principals' : (by_principal[0]?.principal ?? 'Nothing used yet');
  const sections = [section(whose, el('p', { className: 'total' }, usd(totals.cost_usd)), el('p', {}, words.join(' · ')))];
  if (budget) sections.push(budgetOf(budget));
  if (totals.calls && days.length > 1) sections.push(byDay(days));
  if (totals.calls && scope === 'all') sections.push(section('By principal', table('Principal', by_principal)));
  if (totals.calls) sections.push(section('By tool', table('Tool', by_tool)), section('By model', table('Model', by_model)));
  place.replaceChildren(...sections);
  announcement.textContent = whose + ': ' + usd(totals.cost_usd);
};
const load = async () => {
  outcome.textContent = '';
  try {
    const headers = { authorization: 'Bearer ' + form.key.value.trim(), accept: 'application/json' };
    const response = await fetch('usage?days=' + form.days.value, { headers });
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw new Error(answer.error?.message ?? 'The server returned ' + response.status + '.');
    const { totals, days, by_principal, by_tool, by_model } = answer;
    for (const used of [totals, days, by_principal, by_tool, by_model].flat()) used.tokens = used.input_tokens + used.output_tokens;
    report = answer;
    draw();
  } catch (error) {
    report = undefined;
    place.replaceChildren();
    outcome.textContent = error.message;
  }
};
form.addEventListener('submit', (event) => { event.preventDefault(); load(); });
form.days.addEventListener('change', () => { if (report) load(); });
form.measure.addEventListener('change', () => { if (report) draw(); });
form.hidden = false;
`;
