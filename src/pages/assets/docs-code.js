// A request as code to copy, in the style of the documentation's examples: curl, Python, Node.

const PLACEHOLDER = 'YOUR_API_KEY_HERE';

/** The languages by their names. */
export const LANGUAGES = { curl, Python: python, Node: node };

/** What a shell reads as this text: in double quotes where nothing in it means anything to a shell. */
function shell(text) {
  if (/^[\w \-.,:;/@=#?&%+*()[\]{}]*$/.test(text)) return `"${text}"`;
  return `'${text.replaceAll("'", "'\\''")}'`;
}

// JSON's texts are texts in Python and in JavaScript, too.
const quoted = (text) => JSON.stringify(text);

function headersOf(request) {
  const key = request.withKey ? [['x-api-key', PLACEHOLDER]] : [];
  return [...key, ...request.headers, ...(request.json === null ? [] : [['Content-Type', 'application/json']])];
}

/** `-F` gives a meaning to `@`, `<` and `;` in values; `--form-string` does not. */
function field([name, value]) {
  const option = /^[\w#.,+-]*$/.test(value) ? '-F' : '--form-string';
  return `${option} ${shell(`${name}=${value}`)}`;
}

function output(request) {
  const format = request.fields.find(([name]) => name === 'format')?.[1].toLowerCase() ?? 'webp';
  return `output.${/^\w+$/.test(format) ? format : 'webp'}`;
}

function curl(request) {
  const lines = [`curl -X ${request.method} ${shell(request.url)}`];
  if (request.method === 'GET') lines[0] = `curl --location ${shell(request.url)}`;
  lines.push(...headersOf(request).map(([name, value]) => `-H ${shell(`${name}: ${value}`)}`));
  if (request.file) lines.push(`-F ${shell(`${request.file}=@/path/to/image.jpg`)}`);
  lines.push(...request.fields.map(field));
  if (request.json !== null) lines.push(`--data-raw ${shell(request.json)}`);
  if (request.file) lines.push(`-o ${shell(output(request))}`);
  return lines.join(' \\\n  ');
}

function python(request) {
  const lines = ['import requests', '', `url = ${quoted(request.url)}`];
  const headers = headersOf(request);
  const dictionary = (pairs, value = quoted) => ['{', ...pairs.map(([name, one]) => `    ${quoted(name)}: ${value(one)},`), '}'].join('\n');
  const extra = [];
  if (headers.length) extra.push('headers=headers');
  if (headers.length) lines.push(`headers = ${dictionary(headers)}`);
  if (request.file) {
    lines.push('# The image file to process (opened in binary mode)');
    lines.push(`files = ${dictionary([[request.file, 'open("/path/to/image.jpg", "rb")']], (one) => one)}`);
    extra.push('files=files');
  }
  if (request.fields.length) {
    lines.push(`data = ${dictionary(request.fields)}`);
    extra.push('data=data');
  }
  if (request.json !== null) {
    lines.push(`data = ${quoted(request.json)}`);
    extra.push('data=data.encode()');
  }
  lines.push(`response = requests.${request.method.toLowerCase()}(${['url', ...extra].join(', ')})`);
  lines.push('if response.status_code == 200:');
  if (request.file) {
    lines.push(`    with open(${quoted(output(request))}, "wb") as f:`, '        f.write(response.content)');
    lines.push(`    print("Background removed successfully → saved as ${output(request)}")`);
  } else {
    lines.push(request.answersJson ? '    print(response.json())' : '    print(response.text)');
  }
  lines.push('else:', '    print("Error:", response.status_code, response.text)');
  return lines.join('\n');
}

function node(request) {
  const lines = [];
  if (request.file) {
    lines.push("import { openAsBlob } from 'node:fs';", "import { writeFile } from 'node:fs/promises';", '', 'const form = new FormData();');
    lines.push(`form.append(${quoted(request.file)}, await openAsBlob('/path/to/image.jpg'), 'image.jpg');`);
    lines.push(...request.fields.map(([name, value]) => `form.append(${quoted(name)}, ${quoted(value)});`), '');
  }
  const options = [`  method: ${quoted(request.method)},`];
  const headers = headersOf(request);
  if (headers.length) options.push('  headers: {', ...headers.map(([name, value]) => `    ${quoted(name)}: ${quoted(value)},`), '  },');
  if (request.file) options.push('  body: form,');
  if (request.json !== null) options.push(`  body: ${quoted(request.json)},`);
  lines.push(`const response = await fetch(${quoted(request.url)}, {`, ...options, '});');
  lines.push('if (response.ok) {');
  if (request.file) {
    lines.push(`  await writeFile(${quoted(output(request))}, Buffer.from(await response.arrayBuffer()));`);
  } else {
    lines.push(request.answersJson ? '  console.log(await response.json());' : '  console.log(await response.text());');
  }
  lines.push('} else {', "  console.error('Error:', response.status, await response.text());", '}');
  return lines.join('\n');
}
