// The usage page: everything on it is an answer of GET /api/membership-usage.

import { element, server, storedKey } from '{{asset:common.js}}';
import { byId, count, date, language, say, span, tell } from '{{asset:words.js}}';
import { credentials, keyForm, wrongKey } from '{{asset:access.js}}';
import { complaints, exactly, refusal } from '{{asset:answers.js}}';
import { PLACEHOLDER, copyButtons, quoted } from '{{asset:code.js}}';
import { draw, room, shape } from '{{asset:chart.js}}';

const PATH = '/api/membership-usage';

/** Months that are shown for an account without billing windows. */
const MONTHS = 6;

/** The windows, newest first, which of them is chosen, and whether they are calendar months. */
const windows = { list: [], chosen: 0, months: false };

/** Counted up with each key and each refresh: an answer to an older question is not shown. */
let turn = 0;

// --- Asking

/** An answer that is no report: words for the person, and the complaints about fields, if that is what it is. */
class Refused extends Error {
  constructor(words, status = 0, found = []) {
    super(words);
    Object.assign(this, { status, found });
  }
}

async function ask(query) {
  const answer = await fetch(`${PATH}?${query}`, { headers: credentials(), cache: 'no-store' })
    .catch(() => { throw new Refused(say('away')); });
  const text = await answer.text().catch(() => '');
  let body;
  try {
    body = answer.ok ? exactly(text) : JSON.parse(text);
  } catch {
    throw new Refused(say(answer.ok ? 'nonsense' : 'failed', { status: answer.status, message: answer.statusText }));
  }
  if (answer.ok) return body;
  const retry = Number(answer.headers.get('retry-after')) || 1;
  throw new Refused(refusal(answer.status, body, retry), answer.status, answer.status === 400 ? complaints(body) : []);
}

const curl = (query) => `curl -sS -H ${quoted(`x-api-key: ${PLACEHOLDER}`)} ${quoted(`${server()}${PATH}?${query}`)}`;

const REPORT = 'expand=billing_cycle';
const LIST = 'listBillingCycles=1';

async function load() {
  turn += 1;
  const own = turn;
  if (!storedKey()) return show('empty');
  show('loading');
  try {
    const [report, { billingCycles }] = await Promise.all([ask(REPORT), ask(LIST)]);
    const found = billingCycles.length > 0 ? billingCycles.map(asWindow) : await latestMonths();
    if (own !== turn) return;
    Object.assign(windows, { list: found, chosen: 0, months: billingCycles.length === 0 });
    // Shown first: what is not shown has no width to draw in.
    show('report');
    showReport(report);
    showWindows(report.billingCycle);
    showMonth(await monthly(byId('year').value, byId('month').value));
  } catch (error) {
    if (own === turn) fail(error);
  }
}

function asWindow({ periodStartUnix, periodEndUnix, appUsage, apiUsage }) {
  const [app, api] = [BigInt(appUsage), BigInt(apiUsage)];
  return { start: Number(periodStartUnix), end: Number(periodEndUnix), app, api, total: app + api };
}

/** A month's numbers, as a window. */
async function monthly(year, month) {
  const query = new URLSearchParams({ year, month }).toString();
  const { app_usage, api_usage } = await ask(query);
  const [start, next] = [0, 1].map((more) => {
    // By setUTCFullYear, because Date.UTC reads the years before 100 as 19xx.
    return new Date(0).setUTCFullYear(Number(year), Number(month) - 1 + more, 1) / 1_000;
  });
  const found = asWindow({ periodStartUnix: start, periodEndUnix: next - 1, appUsage: app_usage, apiUsage: api_usage });
  return { ...found, query };
}

function latestMonths() {
  const now = new Date();
  return Promise.all(Array.from({ length: MONTHS }, (_, back) => {
    const month = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - back));
    return monthly(month.getUTCFullYear(), month.getUTCMonth() + 1);
  }));
}

// --- What is shown

/** One of `empty`, `loading`, `problem`, `report`; any other name shows the form for the key alone. */
function show(state) {
  for (const id of ['empty', 'loading', 'problem', 'report']) byId(id).hidden = id !== state;
  byId('refresh').hidden = !storedKey();
  byId('status').textContent = { loading: say('loading'), report: say('loaded') }[state] ?? '';
}

function fail(error) {
  if (error.status === 401) {
    wrongKey(error.message);
    return show('key');
  }
  show('problem');
  byId('problem-text').textContent = error instanceof Refused ? error.message : say('nonsense');
  byId('problem').focus();
}

function showReport({ membership, billingCycle }) {
  const [included, left, prepaid, app, api] = ['includedCredits', 'remainingIncludedCredits', 'prepaidCredits', 'appUsage', 'apiUsage']
    .map((name) => BigInt(billingCycle[name]));
  const [start, end] = [Number(billingCycle.periodStartUnix), Number(billingCycle.periodEndUnix)];
  byId('plan').textContent = membership;
  byId('left').textContent = count(left + prepaid);
  byId('left-of').textContent = say('left_of', { of: count(included + prepaid) });
  tell(byId('all-used'), left + prepaid === 0n ? say('all_used') : '');
  // An end is the last second, or the first of the next period: both are the same day after one second more.
  const until = end + 1 - Date.now() / 1_000;
  const day = date(end + 1);
  byId('renews').textContent = until > 0 ? say('renews_on', { date: day, span: span(until) }) : day;
  const period = { from: date(start), to: date(end) };
  byId('period').textContent = say(billingCycle.stripeBillingSynced ? 'period' : 'period_month', period);
  gauge({ app, api, left, prepaid });
  byId('gauge-text').textContent = say('gauge_text', { left: count(left + prepaid), of: count(included + prepaid) });
  byId('report-curl').textContent = curl(REPORT);
}

function gauge(parts) {
  const total = Object.values(parts).reduce((sum, part) => sum + part, 0n);
  let at = 0;
  const drawn = Object.entries(parts).flatMap(([name, part]) => {
    byId(`gauge-${name}`).textContent = count(part);
    if (part === 0n) return [];
    const width = 1_000 * Number(part) / Number(total);
    at += width;
    return [shape('rect', { class: name, x: at - width, y: 0, width, height: 20 })];
  });
  byId('gauge').replaceChildren(byId('gauge-text'), ...drawn);
}

function showWindows(current) {
  const { list, months } = windows;
  byId('windows-note').hidden = months;
  byId('window-choice').hidden = months;
  tell(byId('no-windows'), months ? say('no_windows', { n: count(list.length) }) : '');
  const from = (one) => `${date(one.start)} – ${date(one.end)}`;
  const isCurrent = (one) => String(one.start) === current.periodStartUnix;
  byId('window').replaceChildren(...list.map((one, index) =>
    element('option', { value: index }, isCurrent(one) ? `${from(one)} (${say('current')})` : from(one))));
  byId('rows').replaceChildren(...list.map((one) => element('tr', {},
    element('td', {}, date(one.start)), element('td', {}, date(one.end)),
    ...[one.app, one.api, one.total].map((number) => element('td', { class: 'number' }, count(number))))));
  byId('windows-curl').textContent = months ? list.map((one) => curl(one.query)).join('\n') : curl(LIST);
  chooseWindow(0);
}

const numbersOf = (one) => ({ total: count(one.total), app: count(one.app), api: count(one.api) });

function monthText(one) {
  const month = date(one.start, { month: 'long', year: 'numeric' });
  // It begins a sentence, and Vietnamese months are written small.
  return say('month_text', { month: month[0].toLocaleUpperCase(language) + month.slice(1), ...numbersOf(one) });
}

function textOf(one) {
  if (windows.months) return monthText(one);
  return say('window_text', { from: date(one.start), to: date(one.end), ...numbersOf(one) });
}

function chooseWindow(index) {
  windows.chosen = index;
  byId('window').value = String(index);
  const one = windows.list[index];
  byId('window-text').textContent = windows.months ? '' : textOf(one);
  if (!windows.months) {
    byId('windows-curl').textContent = `${curl(LIST)}\n${curl(`periodStartUnix=${one.start}&${REPORT}`)}`;
  }
  drawWindows();
}

function drawWindows() {
  const { list, chosen, months } = windows;
  if (byId('report').hidden || list.length === 0) return;
  // The latest that there is room for, or those around the chosen one.
  const most = Math.min(list.length, room(byId('chart')));
  const first = Math.min(Math.max(0, chosen - most + 1), list.length - most);
  const drawn = list.slice(first, first + most).reverse();
  tell(byId('latest'), most < list.length ? say('latest', { n: count(most), all: count(list.length) }) : '');
  const options = months ? { month: 'short' } : { day: 'numeric', month: 'short' };
  draw(byId('chart'), drawn.map((one) => ({ ...one, label: date(one.start, options), title: textOf(one) })), {
    name: say(months ? 'chart_months' : 'chart_windows'),
    chosen: months ? -1 : drawn.length - 1 - (chosen - first),
    choose: months ? null : (index) => chooseWindow(first + drawn.length - 1 - index),
  });
}

// --- The month view

function showMonth(one) {
  byId('month-text').textContent = monthText(one);
  byId('month-curl').textContent = curl(one.query);
}

async function askMonth() {
  const own = turn;
  tell(byId('month-error'), '');
  byId('year').removeAttribute('aria-invalid');
  try {
    const found = await monthly(byId('year').value.trim(), byId('month').value);
    if (own === turn) showMonth(found);
  } catch (error) {
    if (own !== turn) return;
    const [complaint] = error.found ?? [];
    if (error.status === 401) return fail(error);
    byId('month-text').textContent = '';
    tell(byId('month-error'), complaint?.words ?? error.message, complaint?.spoken);
    if (complaint) byId('year').setAttribute('aria-invalid', 'true');
  }
}

/** The month so many after the one in the fields. */
function turnMonth(by) {
  const months = (Number(byId('year').value) || 1) * 12 + Number(byId('month').value) - 1 + by;
  byId('year').value = Math.floor(months / 12);
  byId('month').value = months % 12 + 1;
  askMonth();
}

function runMonths() {
  const name = new Intl.DateTimeFormat(language, { month: 'long', timeZone: 'UTC' });
  const months = Array.from({ length: 12 }, (_, month) => name.format(Date.UTC(2000, month)));
  byId('month').append(...months.map((words, month) => element('option', { value: month + 1 }, words)));
  const now = new Date();
  byId('year').value = now.getUTCFullYear();
  byId('month').value = now.getUTCMonth() + 1;
  byId('months').addEventListener('submit', (event) => {
    event.preventDefault();
    askMonth();
  });
  byId('month-before').addEventListener('click', () => turnMonth(-1));
  byId('month-after').addEventListener('click', () => turnMonth(1));
}

runMonths();
keyForm(load);
copyButtons();
byId('refresh').addEventListener('click', load);
byId('retry').addEventListener('click', load);
byId('window').addEventListener('change', (event) => chooseWindow(Number(event.target.value)));
// By the width of the page, which the chart's own drawing does not change.
new ResizeObserver(drawWindows).observe(byId('report'));
load();
