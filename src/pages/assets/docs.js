// The interactive reference: every operation of /api/openapi, with a form that sends real requests.

import { element, server, storeKey, storedKey } from '{{asset:common.js}}';
import { inline, memberList, prose, resolved, shapes } from '{{asset:docs-schema.js}}';
import { bench } from '{{asset:docs-try.js}}';

const at = (id) => document.getElementById(id);

function credentials() {
  const state = () => {
    const key = storedKey();
    at('forget').disabled = !key;
    at('key-state').textContent = key ? `Requests are sent with the key that ends in ${key.slice(-4)}.` : '';
    at('key-state').className = 'small good';
  };
  at('key-form').addEventListener('submit', (event) => {
    event.preventDefault();
    storeKey(at('key').value.trim());
    at('key').value = '';
    state();
  });
  at('forget').addEventListener('click', () => {
    storeKey('');
    at('key').value = '';
    state();
    at('key').focus();
  });
  state();
}

/** Who may call, in words. */
function permission(operation) {
  const schemes = operation.security ?? [];
  if (schemes.length === 0) return 'Needs no key.';
  const names = schemes.map((scheme) => ({ ApiKey: 'an API key', UserToken: 'a user token' })[Object.keys(scheme)[0]] ?? 'neither, where anonymous callers are allowed');
  return `Called with ${names.join(', or ')}.`;
}

function answers(document_, operation) {
  return Object.entries(operation.responses).map(([status, response]) => {
    const content = Object.entries(response.content ?? {});
    const json = response.content?.['application/json'];
    const bodies = json ? shapes(document_, json.schema).filter(({ rows }) => rows.length) : [];
    const headers = Object.entries(response.headers ?? {}).map(([name, header]) => {
      const whole = resolved(document_, header);
      return element('li', {}, element('code', {}, name), ' ', ...inline(whole.description));
    });
    const examples = Object.values(json?.examples ?? {}).map((one) => resolved(document_, one));
    if (json?.example) examples.push({ summary: 'Example', value: json.example });
    const shown = examples.flatMap(({ summary, value }) => [element('dt', {}, summary), element('dd', {}, element('pre', { tabindex: '0' }, JSON.stringify(value, null, 2)))]);
    return element('details', { class: 'answer' },
      element('summary', {}, element('span', { class: 'status' }, status), ...inline(response.description)),
      element('div', {},
        content.length ? element('p', { class: 'small muted' }, `Type: ${content.map(([type]) => type).join(', ')}`) : null,
        headers.length ? element('h4', {}, 'Headers') : null, headers.length ? element('ul', { class: 'small' }, ...headers) : null,
        ...bodies.flatMap(({ title, rows }) => [element('h4', {}, title ? `Body: ${title}` : 'Body'), memberList(rows)]),
        shown.length ? element('h4', {}, shown.length > 2 ? 'Examples' : 'Example') : null, shown.length ? element('dl', { class: 'examples' }, ...shown) : null));
  });
}

function section(document_, path, method, operation) {
  const id = operation.operationId;
  return element('section', { class: 'operation', id, 'aria-labelledby': `${id}-title`, tabindex: '-1' },
    element('h2', { id: `${id}-title` }, operation.summary),
    element('p', { class: 'endpoint' }, element('span', { class: 'method' }, method), element('span', {}, path)),
    ...prose(operation.description), element('p', { class: 'muted' }, permission(operation)),
    bench(document_, path, method, operation),
    element('h3', {}, 'Answers'), ...answers(document_, operation));
}

function contents(document_, operations) {
  return document_.tags.flatMap((tag) => {
    const own = operations.filter(({ operation }) => operation.tags.includes(tag.name));
    const items = own.map(({ operation }) => element('li', {}, element('a', { href: `#${operation.operationId}` }, operation.summary)));
    return [element('h2', {}, tag.name), element('ul', {}, ...items)];
  });
}

function show(document_) {
  const operations = Object.entries(document_.paths).flatMap(([path, methods]) => (
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation }))));
  at('contents').replaceChildren(...contents(document_, operations));
  at('operations').replaceChildren(element('h2', { id: 'overview', class: 'visually-hidden' }, 'Endpoints'), ...prose(document_.info.description), ...operations.map(({ path, method, operation }) => section(document_, path, method, operation)));
  if (location.hash) at(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

async function load() {
  const loading = at('loading');
  loading.className = '';
  loading.replaceChildren('Loading the document…');
  try {
    const answer = await fetch('/api/openapi');
    if (!answer.ok) throw new Error(`the server answered ${answer.status}`);
    show(await answer.json());
    loading.hidden = true;
  } catch (error) {
    loading.className = 'notice bad';
    loading.replaceChildren(`The document cannot be read: ${error.message}. `, element('button', { type: 'button', onclick: load }, 'Try again'));
  }
}

at('server').textContent = server();
credentials();
load();
