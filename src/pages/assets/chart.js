// Bars of what was used, app below and api on it, drawn as SVG. A table says the same to whoever does not see it.

import { byId, count, language } from '{{asset:words.js}}';

const SVG = 'http://www.w3.org/2000/svg';

/** Room in pixels for the scale's numbers, for the dates, and for a bar with its gap at least. */
const [LEFT, BOTTOM, NARROWEST, HEIGHT] = [52, 28, 26, 220];

/** A shape with these attributes. */
export function shape(name, attributes, ...children) {
  const made = document.createElementNS(SVG, name);
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value);
  made.append(...children);
  return made;
}

const widthOf = (chart) => Math.floor(chart.getBoundingClientRect().width);

/** How many bars there is room for. */
export function room(chart) {
  return Math.min(24, Math.max(4, Math.floor((widthOf(chart) - LEFT) / NARROWEST)));
}

/**
 * Draws bars, the oldest first: each has `app` and `api` (BigInt), a short `label` and a `title`. `chosen` is the index of
 * the one that stands out, `choose` is called with that of a bar that is clicked.
 */
export function draw(chart, bars, { name, chosen, choose }) {
  const width = widthOf(chart);
  // Not laid out: it is drawn once it is.
  if (width <= LEFT) return;
  chart.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
  byId('chart-text').textContent = name;
  const most = ceiling(bars.reduce((most, { app, api }) => Math.max(most, Number(app + api)), 0));
  const y = (number) => (HEIGHT - BOTTOM) - (HEIGHT - BOTTOM - 10) * Number(number) / most;
  const step = (width - LEFT) / bars.length;
  const longest = Math.max(...bars.map(({ label }) => label.length));
  const every = Math.ceil((longest * 7 + 14) / step);
  const drawn = bars.map((bar, index) => {
    const at = { x: LEFT + step * index, wide: Math.min(step * 0.64, 48), middle: LEFT + step * (index + 0.5) };
    const group = shape('g', { class: index === chosen ? 'bar chosen' : 'bar' }, shape('title', {}, bar.title));
    group.append(shape('rect', { class: 'reach', x: at.x, y: 0, width: step, height: HEIGHT }), ...pieces(bar, at, y));
    // Counted from the newest, which always has its date.
    const labelled = (bars.length - 1 - index) % every === 0;
    if (labelled) group.append(shape('text', { x: at.middle, y: HEIGHT - 8, 'text-anchor': 'middle' }, bar.label));
    group.addEventListener('click', () => choose?.(index));
    return group;
  });
  chart.classList.toggle('choosable', Boolean(choose));
  chart.replaceChildren(byId('chart-text'), ...scale(most, width, y), ...drawn);
}

function pieces({ app, api }, { middle, wide }, y) {
  const piece = (from, to, name) => shape('rect', {
    class: name, x: middle - wide / 2, y: y(to), width: wide, height: Math.max(0, y(from) - y(to)), rx: 2,
  });
  return [app > 0n && piece(0n, app, 'app'), api > 0n && piece(app, app + api, 'api')].filter(Boolean);
}

function scale(most, width, y) {
  const compact = new Intl.NumberFormat(language, { notation: 'compact', maximumFractionDigits: 1 });
  return [0, most / 2, most].flatMap((number) => [
    shape('line', { class: 'grid', x1: LEFT, x2: width, y1: y(number), y2: y(number) }),
    shape('text', { x: LEFT - 8, y: y(number) + 4, 'text-anchor': 'end' }, most < 1e4 ? count(number) : compact.format(number)),
  ]);
}

/** The next of 2, 4, 10, 20, 40, 100, …, so that its half is a whole number, too. */
function ceiling(number) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, number)));
  return [1, 2, 4, 10].map((times) => times * power).find((round) => round >= Math.max(2, number)) ?? number;
}
