// The API's answers: to the last digit, and in words.

import { knows, say, span, translated } from '{{asset:words.js}}';

/** A JSON text in which every integer has become a string, so that no digit is lost beyond 2^53. */
export function exactly(text) {
  const token = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/g;
  return JSON.parse(text.replace(token, (found) => (/^-?\d+$/.test(found) ? `"${found}"` : found)));
}

/** Every complaint of the contract: its form, its name among the translations, and its field. */
const COMPLAINTS = [
  [/^No image file provided/, 'no_image', 'image'],
  [/^No file selected/, 'no_file', 'image'],
  [/^File type '(.*)' is not supported/s, 'type', 'image'],
  [/^File does not appear to be a valid image/, 'corrupt', 'image'],
  [/^Uploaded file is empty/, 'empty', 'image'],
  [/^File size \((.*) MB\) exceeds/, 'size', 'image'],
  [/^Image width \((\d+)px\) exceeds/, 'wide', 'image'],
  [/^Image height \((\d+)px\) exceeds/, 'tall', 'image'],
  [/^'(\w+)' must be an integer, got: '(.*)'$/s, 'integer'],
  [/^'(\w+)' must be at least (\d+), got: (.*)$/s, 'least'],
  [/^'(\w+)' must be at most (\d+), got: (.*)$/s, 'most'],
  [/^'(\w+)' must be between (\d+) and (\d+), got: (.*)$/s, 'range'],
  [/^'(\w+)' must be a number, got: '(.*)'$/s, 'number'],
  [/^'(\w+)' must be between -360 and 360 degrees, got: (.*)$/s, 'angle'],
  [/^Invalid format '(.*)'\. Allowed/s, 'format', 'format'],
  [/^Invalid color format '(.*)'\. Use/s, 'colour', 'bg_color'],
  [/^Cannot use 'mask=true' together/, 'mask', 'mask'],
  [/^'(\w+)' must be true or false, got: '(.*)'$/s, 'boolean'],
];

/** An error body's complaints as `{ field, words, spoken }`: those that it lists, or the single one that it is. */
export function complaints(body) {
  const listed = Array.isArray(body?.details) ? body.details : [{ message: body?.error }];
  return listed.map(({ field, message }) => {
    const text = String(message);
    for (const [form, name, its] of COMPLAINTS) {
      const found = form.exec(text);
      if (!found) continue;
      const own = translated(name, found);
      return { field: field ?? its ?? found[1], words: own ?? text, spoken: own ? '' : 'en' };
    }
    return { field, words: text, spoken: 'en' };
  });
}

/** What a refusal means for the person, by the contract's code. `retry` is in seconds. */
export function refusal(status, body, retry) {
  const values = { span: span(retry), status, message: body?.error ?? '' };
  if (status === 503) return say('busy', values);
  const named = {
    invalid_key: 'key_wrong', email_not_verified: 'key_unverified', too_fast: 'too_fast', daily_limit: 'daily_limit',
    monthly_limit: 'monthly_limit', backend_failed: 'backend_failed', timed_out: 'timed_out', body_too_large: 'too_large',
    too_many_pixels: 'too_many_pixels',
  }[body?.code];
  return say(named && knows(named) ? named : 'failed', values);
}

/** What is left of each limit, by its policy, from a `RateLimit` header: `"day";r=4;t=600`. */
export function limits(header) {
  const items = [...(header ?? '').matchAll(/"(\w+)";r=(\d+);t=(\d+)/g)];
  return Object.fromEntries(items.map(([, policy, left, resets]) => [policy, { left: BigInt(left), resets: Number(resets) }]));
}
