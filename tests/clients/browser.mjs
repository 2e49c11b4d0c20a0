// fetch with FormData in a real browser, on a page of the gateway's own; prints what it was answered as JSON.
// The browser is driven through its debugging pipe, which needs no port and no package.
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const [browser, origin, key, size] = process.argv.slice(2);
const profile = mkdtempSync(join(tmpdir(), 'rembg-browser-'));
const process_ = spawn(browser, [
  '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage', '--ignore-certificate-errors',
  '--remote-debugging-pipe', `--user-data-dir=${profile}`, 'about:blank',
], { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'], detached: true });

let waiting = new Map();
let last = 0;
let received = '';
process_.stdio[4].setEncoding('utf8').on('data', (data) => {
  const messages = (received + data).split('\0');
  received = messages.pop();
  for (const message of messages.map((text) => JSON.parse(text))) {
    const { resolve, reject } = waiting.get(message.id ?? message.method) ?? {};
    if (message.error) reject?.(new Error(message.error.message));
    else resolve?.(message.result ?? message.params);
  }
});

const answerTo = (what) => new Promise((resolve, reject) => waiting.set(what, { resolve, reject }));

function ask(method, params, sessionId) {
  last += 1;
  const answer = answerTo(last);
  process_.stdio[3].write(`${JSON.stringify({ id: last, method, params, sessionId })}\0`);
  return answer;
}

async function inThePage(key, size) {
  const form = new FormData();
  const header = Uint8Array.from('\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x04\0\0\0\x04\x08\x06\0\0\0', (c) => c.charCodeAt(0));
  form.append('image', new Blob([header, new Uint8Array(size)]));
  form.append('bg_color', 'Red');
  const answer = await fetch('/rmbg', { method: 'POST', headers: { 'x-api-key': key }, body: form });
  const body = await answer.text();
  const protocol = performance.getEntriesByType('resource').at(-1)?.nextHopProtocol;
  return JSON.stringify({ status: answer.status, type: answer.headers.get('content-type'), body, protocol });
}

try {
  const { targetId } = await ask('Target.createTarget', { url: 'about:blank' });
  const { sessionId } = await ask('Target.attachToTarget', { targetId, flatten: true });
  await ask('Page.enable', {}, sessionId);
  const loaded = answerTo('Page.loadEventFired');
  await ask('Page.navigate', { url: `${origin}/docs` }, sessionId);
  await loaded;
  const expression = `(${inThePage})(${JSON.stringify(key)}, ${Number(size)})`;
  const { result } = await ask('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true }, sessionId);
  process.stdout.write(result.value ?? JSON.stringify({ failed: result.description }));
} finally {
  const gone = new Promise((resolve) => process_.once('exit', resolve));
  const patience = setTimeout(() => process.kill(-process_.pid, 'SIGKILL'), 5_000);
  await Promise.race([ask('Browser.close'), gone]).catch(() => {});
  await gone;
  clearTimeout(patience);
  await removed(profile);
}

// What the browser started may outlive it by a moment and write to its profile, so that one try is not enough.
async function removed(folder) {
  for (let tries = 1; ; tries += 1) {
    try {
      return rmSync(folder, { recursive: true, force: true });
    } catch (error) {
      if (tries === 100) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
