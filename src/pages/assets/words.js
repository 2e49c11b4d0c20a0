// The page's words, numbers and dates, in its language.

import { words } from '{{asset:common.js}}';

const own = words();

export const language = document.documentElement.lang;

/** The words of a name, with what stands in braces filled in. */
export function say(name, values = {}) {
  return filled(own.say[name], values);
}

/** Whether the page has words of this name. */
export const knows = (name) => name in own.say;

/** The translation of one of the API's complaints; nothing where its own words are in the page's language. */
export function translated(complaint, values) {
  return own.complaints[complaint] && filled(own.complaints[complaint], values);
}

function filled(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

export const byId = (id) => document.getElementById(id);

/** Shows words in an element, or hides it where there are none. `spoken` is their language, if not the page's. */
export function tell(place, text, spoken = '') {
  place.textContent = text ?? '';
  place.hidden = !text;
  if (spoken && text) place.lang = spoken;
  else place.removeAttribute('lang');
}

const numbers = new Intl.NumberFormat(language);

/** A count, to the last digit; BigInt or Number. */
export const count = (number) => numbers.format(number);

/** A day, UTC, of Unix seconds. */
export function date(seconds, options = { dateStyle: 'medium' }) {
  return new Intl.DateTimeFormat(language, { timeZone: 'UTC', ...options }).format(Number(seconds) * 1000);
}

const UNITS = [['day', 86_400], ['hour', 3_600], ['minute', 60], ['second', 1]];

/** A span in its largest fitting unit, rounded up, so that nobody comes back too early. */
export function span(seconds) {
  const whole = Math.max(1, Math.ceil(seconds));
  const [unit, length] = UNITS.find(([, length]) => whole >= 2 * length) ?? UNITS.at(-1);
  const format = { style: 'unit', unit, unitDisplay: 'long' };
  return new Intl.NumberFormat(language, format).format(Math.ceil(whole / length));
}

/** A file's size. */
export function bytes(size) {
  const [unit, length] = size >= 1e6 ? ['megabyte', 1e6] : ['kilobyte', 1e3];
  return new Intl.NumberFormat(language, { style: 'unit', unit, maximumFractionDigits: 1 }).format(size / length);
}

/** A short time, to a tenth of a second. */
export function duration(milliseconds) {
  const format = { style: 'unit', unit: 'second', maximumFractionDigits: 1 };
  return new Intl.NumberFormat(language, format).format(milliseconds / 1_000);
}
