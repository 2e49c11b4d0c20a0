// The form of an operation, the request that it makes, and what came back.

import { copy, element, isPicture, server, storedKey } from '{{asset:common.js}}';
import { inline, isFile, kind, resolved, sample } from '{{asset:docs-schema.js}}';
import { LANGUAGES } from '{{asset:docs-code.js}}';

/** Longer texts are cut where they are shown. */
const LONGEST_TEXT = 20_000;

let language = 'curl';
const writers = new Set();

/** The form, the code and the place for the answer. */
export function bench(document_, path, method, operation) {
  const fields = fieldsOf(document_, operation).map((field) => ({ ...field, ...input(operation.operationId, field) }));
  const result = element('div', { class: 'result', role: 'status' });
  const send = element('button', { class: 'primary' }, 'Send the request');
  const stop = element('button', { type: 'button', hidden: true }, 'Stop');
  const form = element('form', { 'aria-label': `Try ${method} ${path}`, novalidate: true, autocomplete: 'off' },
    ...fields.map((field) => field.row), element('div', { class: 'row' }, send, stop));
  const code = codeOf(() => requestOf(path, method, operation, fields));
  form.addEventListener('input', code.write);
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const gone = new AbortController();
    stop.onclick = () => gone.abort();
    [send.disabled, stop.hidden] = [true, false];
    mark(fields, []);
    result.replaceChildren(element('p', {}, 'Waiting for the answer…'));
    await run(requestOf(path, method, operation, fields), fields, result, gone.signal);
    [send.disabled, stop.hidden] = [false, true];
    if (!fields.some((field) => field.control === document.activeElement)) result.scrollIntoView({ block: 'nearest' });
  });
  return element('div', { class: 'bench' },
    element('div', {}, element('h3', {}, 'Try it'), form),
    element('div', { class: 'beside' }, result, element('div', {}, element('h3', {}, 'As code'), code.box)));
}

function fieldsOf(document_, operation) {
  const parameters = (operation.parameters ?? []).map((one) => resolved(document_, one));
  const fields = parameters.map((one) => ({ ...one, place: one.in, schema: resolved(document_, one.schema) }));
  const content = operation.requestBody?.content ?? {};
  const form = resolved(document_, content['multipart/form-data']?.schema);
  const parts = Object.entries(form?.properties ?? {}).map(([name, schema]) => (
    { name, schema, place: 'form', description: schema.description, required: form.required?.includes(name), example: schema.example }));
  const json = content['application/json']?.schema;
  const body = json ? [{ name: 'body', place: 'json', schema: { type: 'string' }, required: true, description: resolved(document_, json).description, value: JSON.stringify(sample(document_, json), null, 2) }] : [];
  return [...parts, ...body, ...fields];
}

/** A field's input with its label, hint and place for a fault. */
function input(operationId, field) {
  const id = `${operationId}-${field.name}`;
  const common = { id, name: field.name, 'aria-describedby': `${id}-hint ${id}-fault` };
  const choices = field.schema.enum ?? (field.schema.type === 'boolean' ? ['true', 'false'] : null);
  const names = field.schema.anyOf?.find((one) => one.enum)?.enum;
  let control = element('input', { ...common, type: 'text', spellcheck: 'false', autocapitalize: 'off', list: names && `${id}-names`, placeholder: field.example !== undefined && `${field.example}` });
  if (isFile(field.schema)) control = element('input', { ...common, type: 'file', accept: 'image/webp,image/bmp,image/png,image/jpeg' });
  else if (field.place === 'json') {
    control = element('textarea', { ...common, spellcheck: 'false' });
    control.value = field.value;
  } else if (choices) {
    control = element('select', common, element('option', { value: '' }, 'not set'), ...choices.map((one) => element('option', { value: one }, one)));
  }
  const fault = element('p', { class: 'fault', id: `${id}-fault` });
  const needed = field.required ? ', required' : '';
  const row = element('div', { class: 'field' },
    element('label', { for: id }, element('span', { class: 'name' }, field.name), element('span', { class: 'kind' }, ` ${field.place === 'json' ? 'JSON' : kind(field.schema)}${needed}`)),
    control, names && element('datalist', { id: `${id}-names` }, ...names.map((one) => element('option', { value: one }))),
    element('p', { class: 'hint', id: `${id}-hint` }, ...inline(field.description)), fault);
  return { control, fault, row };
}

/** What the form says, as a request: also for the code, which has no file and no key. */
function requestOf(path, method, operation, fields) {
  const set = (place) => fields.filter((field) => field.place === place && !isFile(field.schema) && field.control.value !== '')
    .map((field) => [field.name, field.control.value]);
  const query = new URLSearchParams(set('query')).toString();
  const file = fields.find((field) => isFile(field.schema));
  const target = query ? `${path}?${query}` : path;
  return {
    method, target, url: server() + target, headers: set('header'), fields: set('form'),
    file: file?.name, chosen: file?.control.files[0], json: fields.find((field) => field.place === 'json')?.control.value ?? null,
    withKey: (operation.security ?? []).some((scheme) => scheme.ApiKey),
    answersJson: Boolean(operation.responses['200']?.content?.['application/json']),
  };
}

function codeOf(request) {
  const text = element('code');
  const pre = element('pre', { tabindex: '0', role: 'region', 'aria-label': 'The request as code' }, text);
  const choose = (name) => () => {
    language = name;
    writers.forEach((write) => write());
  };
  const buttons = Object.keys(LANGUAGES).map((name) => element('button', { type: 'button', onclick: choose(name) }, name));
  const copyButton = element('button', { type: 'button', class: 'copy', onclick: () => copy(text.textContent, copyButton) }, 'Copy');
  const write = () => {
    text.textContent = LANGUAGES[language](request());
    buttons.forEach((button) => button.setAttribute('aria-pressed', String(button.textContent === language)));
  };
  writers.add(write);
  write();
  return { write, box: element('div', {}, element('div', { class: 'code-head', role: 'group', 'aria-label': 'Language' }, ...buttons, copyButton), pre) };
}

async function run(request, fields, result, signal) {
  const started = performance.now();
  try {
    const answer = await fetch(request.target, { method: request.method, headers: headersOf(request), body: bodyOf(request), signal, cache: 'no-store' });
    const body = await answer.blob();
    await show(answer, body, performance.now() - started, fields, result);
  } catch (error) {
    const words = error.name === 'AbortError' ? 'Stopped. Nothing was received.'
      : error.name === 'TypeError' && !navigator.onLine ? 'This device is offline.' : `There was no answer: ${error.message}`;
    result.replaceChildren(element('p', { class: 'notice bad' }, words));
  }
}

function headersOf(request) {
  const headers = new Headers(request.headers);
  const [key, token] = [storedKey(), document.getElementById('token').value.trim()];
  if (request.withKey && key) headers.set('x-api-key', key);
  else if (request.withKey && token) headers.set('authorization', `Bearer ${token}`);
  if (request.json !== null) headers.set('content-type', 'application/json');
  return headers;
}

function bodyOf(request) {
  if (request.json !== null) return request.json;
  if (!request.file) return undefined;
  const form = new FormData();
  if (request.chosen) form.append(request.file, request.chosen);
  request.fields.forEach(([name, value]) => form.append(name, value));
  return form;
}

async function show(answer, body, took, fields, result) {
  const type = answer.headers.get('content-type') ?? '';
  const headline = element('h4', {}, element('span', { class: answer.ok ? 'good' : 'bad' }, `${answer.status} ${answer.statusText}`.trim()),
    element('span', { class: 'muted small' }, `${Math.round(took)} ms, ${body.size.toLocaleString('en')} bytes`));
  const headers = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join('\n');
  const shown = answer.ok && isPicture(type) ? await picture(type, body) : await textual(type, body, fields);
  result.replaceChildren(headline, shown, element('details', {}, element('summary', {}, 'Headers of the answer'), element('pre', { tabindex: '0' }, headers)));
}

/** The type was judged; the blob gets that type and no other. */
async function picture(type, body) {
  const own = type.split(';')[0].trim().toLowerCase();
  const address = URL.createObjectURL(new Blob([body], { type: own }));
  const image = element('img', { src: address, alt: 'The picture that came back' });
  const ending = own.split('/')[1];
  const size = element('span');
  const figure = element('figure', {}, element('div', { class: 'checkerboard' }, image),
    element('figcaption', {}, size, element('a', { class: 'button', href: address, download: `output.${ending}` }, 'Download')));
  try {
    await image.decode();
    size.textContent = `${image.naturalWidth} × ${image.naturalHeight} px, ${ending}`;
    return figure;
  } catch {
    URL.revokeObjectURL(address);
    return element('p', { class: 'notice warn' }, `The answer says that it is ${own}, but this browser cannot show it.`);
  }
}

async function textual(type, body, fields) {
  if (!/^(text\/|application\/(json|yaml)|image\/svg)/.test(type)) {
    return element('p', { class: 'notice' }, `An answer of type ${type || 'unknown'} is not shown.`);
  }
  let text = await body.text();
  try {
    const json = JSON.parse(text);
    text = JSON.stringify(json, null, 2);
    if (json.error) mark(fields, json.details ?? [{ field: /^'(\w+)'/.exec(json.error)?.[1], message: json.error }]);
  } catch { /* It is no JSON, and is shown as it is. */ }
  const cut = text.length > LONGEST_TEXT ? `${text.slice(0, LONGEST_TEXT)}\n…` : text;
  return element('pre', { tabindex: '0', role: 'region', 'aria-label': 'The body of the answer' }, cut || '(no body)');
}

/** Faults stand next to their fields; the first of them gets the focus. */
function mark(fields, faults) {
  for (const field of fields) {
    const fault = faults.find((one) => one.field === field.name);
    field.fault.textContent = fault?.message ?? '';
    if (fault) field.control.setAttribute('aria-invalid', 'true');
    else field.control.removeAttribute('aria-invalid');
  }
  fields.find((field) => field.control.getAttribute('aria-invalid'))?.control.focus();
}
