// The document's schemas, for people.

import { element } from '{{asset:common.js}}';

/** Follows `$ref`s to what they mean. */
export function resolved(document_, value) {
  let found = value;
  while (found?.$ref) {
    found = found.$ref.slice(2).split('/').reduce((at, part) => at?.[part.replaceAll('~1', '/').replaceAll('~0', '~')], document_);
  }
  return found;
}

/** Paragraphs, with what is between backticks as code. */
export function prose(text, kind = 'p') {
  return (text ?? '').split('\n\n').filter(Boolean).map((part) => element(kind, {}, ...inline(part)));
}

/** The same within a paragraph. */
export function inline(text) {
  return (text ?? '').split('`').map((part, at) => (at % 2 ? element('code', {}, part) : part));
}

/** A schema's type and bounds in a few words: `integer, 1 to 12`. */
export function kind(schema) {
  if (isFile(schema)) return 'file';
  const words = [[schema.type ?? (schema.const === undefined ? 'any' : typeof schema.const)].flat().join(' or ')];
  if (schema.enum && schema.enum.length <= 8) words.push(`one of ${schema.enum.join(', ')}`);
  if (schema.const !== undefined) words.push(`always ${JSON.stringify(schema.const)}`);
  if (schema.minimum !== undefined && schema.maximum !== undefined) words.push(`${schema.minimum} to ${schema.maximum}`);
  else if (schema.minimum) words.push(`at least ${schema.minimum}`);
  if (schema.default !== undefined) words.push(`default ${JSON.stringify(schema.default)}`);
  return words.join(', ');
}

/** Whether a field is a file. */
export function isFile(schema) {
  return schema.format === 'binary' || Boolean(schema.contentMediaType);
}

/** The shapes that a body may have: a title where there are several, and the members of each. */
export function shapes(document_, schema) {
  const whole = resolved(document_, schema);
  if (!whole?.oneOf) return [{ title: null, rows: members(document_, whole, '') }];
  return whole.oneOf.map((one) => ({ title: one.$ref?.split('/').at(-1), rows: members(document_, one, '') }));
}

/** The members of an object, of its members, and so on. */
function members(document_, schema, prefix) {
  const whole = resolved(document_, schema);
  if (whole?.type === 'array') return members(document_, whole.items, `${prefix}[].`);
  return Object.entries(whole?.properties ?? {}).flatMap(([name, member]) => {
    const inner = resolved(document_, member);
    const own = { name: `${prefix}${name}`, schema: inner, required: whole.required?.includes(name) ?? false };
    return [own, ...members(document_, inner, `${prefix}${name}${inner.type === 'array' ? '' : '.'}`)];
  });
}

/** The members as a list of names, types and meanings. */
export function memberList(rows) {
  return element('dl', { class: 'members' }, ...rows.map(({ name, schema, required }) => element('div', {},
    element('dt', {}, element('code', {}, name), element('span', { class: 'muted' }, ` ${kind(schema)}${required ? '' : ', may be absent'}`)),
    element('dd', {}, ...inline(schema.description)))));
}

/** Something of this shape to begin with. */
export function sample(document_, schema) {
  const whole = resolved(document_, schema);
  if (whole.example !== undefined) return whole.example;
  if (whole.const !== undefined) return whole.const;
  if (whole.enum) return whole.enum[0];
  if (whole.type === 'object') {
    return Object.fromEntries(Object.entries(whole.properties ?? {}).map(([name, member]) => [name, sample(document_, member)]));
  }
  if (whole.type === 'array') return [];
  return whole.type === 'integer' || whole.type === 'number' ? whole.minimum ?? 0 : whole.type === 'boolean' ? false : '';
}
