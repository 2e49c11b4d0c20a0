// A picture's request as code, in the documentation's own manner.

import { server } from '{{asset:common.js}}';
import { byId } from '{{asset:words.js}}';
import { PLACEHOLDER, quoted } from '{{asset:code.js}}';

// JSON's texts are texts in Python and in JavaScript, too.
const text = JSON.stringify;

function curl({ name, withKey, options }) {
  const lines = [`curl -sS -X POST ${quoted(`${server()}/rmbg`)}`];
  if (withKey) lines.push(`-H ${quoted(`x-api-key: ${PLACEHOLDER}`)}`);
  lines.push(`-F ${quoted(`image=@/path/to/${name}`)}`);
  // --form-string, because -F reads files where a value begins with @ or <.
  for (const [field, value] of options) lines.push(`--form-string ${quoted(`${field}=${value}`)}`);
  lines.push(`-o ${quoted(`output.${formatOf(options)}`)}`);
  return lines.join(' \\\n  ');
}

function python({ name, withKey, options }) {
  const data = options.map(([field, value]) => `    ${text(field)}: ${text(value)},\n`).join('');
  return `import requests

response = requests.post(
    ${text(`${server()}/rmbg`)},
${withKey ? `    headers={"x-api-key": ${text(PLACEHOLDER)}},\n` : ''}    files={"image": open(${text(`/path/to/${name}`)}, "rb")},
${data && `    data={\n${data.replaceAll(/^/gm, '    ').trimEnd()}\n    },\n`})

if response.status_code == 200:
    with open(${text(`output.${formatOf(options)}`)}, "wb") as f:
        f.write(response.content)
else:
    print("Error:", response.status_code, response.text)
`;
}

function node({ name, withKey, options }) {
  const fields = options.map(([field, value]) => `form.append(${text(field)}, ${text(value)});\n`).join('');
  return `// script.mjs
import { readFile, writeFile } from 'node:fs/promises';

const form = new FormData();
form.append('image', new Blob([await readFile(${text(`/path/to/${name}`)})]), ${text(name)});
${fields}
const response = await fetch(${text(`${server()}/rmbg`)}, {
  method: 'POST',
${withKey ? `  headers: { 'x-api-key': ${text(PLACEHOLDER)} },\n` : ''}  body: form,
});
if (response.ok) await writeFile(${text(`output.${formatOf(options)}`)}, Buffer.from(await response.arrayBuffer()));
else console.error('Error:', response.status, await response.text());
`;
}

function formatOf(options) {
  const [, format] = options.find(([name]) => name === 'format') ?? [];
  return format ?? 'webp';
}

const SAMPLES = { curl, python, node };

/** Shows the request in the language that is chosen. */
export function showSample(request) {
  const chosen = byId('tabs').querySelector(':checked').value;
  byId('code').textContent = SAMPLES[chosen](request);
}
