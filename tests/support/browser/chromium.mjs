// A real browser, driven through its debugging pipe, which needs no port and no package.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome'];
const OPTIONS = [
  '--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-sync',
  '--disable-component-update', '--disable-dev-shm-usage', '--hide-scrollbars', '--no-proxy-server', '--remote-debugging-pipe',
];

/** Runs in each page before its own scripts: what its policy forbade is noted. */
const WATCH = `globalThis.violations = [];
addEventListener('securitypolicyviolation', (event) => violations.push(event.violatedDirective + ' ' + event.blockedURI));`;

export class Chromium {
  #child; #profile; #waiting = new Map(); #last = 0; #received = ''; #pages = new Map();

  /** With more options, as on its command line. */
  constructor(options = []) {
    const program = PROGRAMS.find((name) => spawnSync(name, ['--version']).status === 0);
    if (!program) throw new Error('there is no browser; run tests/tools.sh');
    this.#profile = mkdtempSync(join(tmpdir(), 'rembg-browser-'));
    this.#child = spawn(program, [...OPTIONS, ...options, `--user-data-dir=${this.#profile}`, 'about:blank'],
      { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'], detached: true });
    this.#child.stdio[4].setEncoding('utf8').on('data', (data) => this.#read(data));
  }

  #read(data) {
    const messages = (this.#received + data).split('\0');
    this.#received = messages.pop();
    for (const message of messages.map((text) => JSON.parse(text))) {
      if (message.method) this.#pages.get(message.sessionId)?.happened(message.method, message.params);
      const { resolve, reject } = this.#waiting.get(message.id) ?? {};
      this.#waiting.delete(message.id);
      if (message.error) reject?.(new Error(message.error.message));
      else resolve?.(message.result);
    }
  }

  ask(method, params = {}, sessionId = undefined) {
    this.#last += 1;
    const answer = new Promise((resolve, reject) => this.#waiting.set(this.#last, { resolve, reject }));
    this.#child.stdio[3].write(`${JSON.stringify({ id: this.#last, method, params, sessionId })}\0`);
    return answer;
  }

  /** A page in a profile of its own. */
  async page(language = 'en') {
    const { browserContextId } = await this.ask('Target.createBrowserContext');
    const { targetId } = await this.ask('Target.createTarget', { url: 'about:blank', browserContextId });
    const { sessionId } = await this.ask('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page((method, params) => this.ask(method, params, sessionId));
    this.#pages.set(sessionId, page);
    await page.open(language);
    return page;
  }

  async close() {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve));
    const patience = setTimeout(() => process.kill(-this.#child.pid, 'SIGKILL'), 5_000);
    await Promise.race([this.ask('Browser.close'), gone]).catch(() => {});
    await gone;
    clearTimeout(patience);
    await removed(this.#profile);
  }
}

/** A page, and what has happened in it that should not have. */
export class Page {
  #ask; #loaded = () => {}; #origin = '';
  /** Errors of the console, dialogs, requests to others, reports of the policy. */
  faults = [];
  /** Faults with these words are expected. */
  expected = [];

  constructor(ask) {
    this.#ask = ask;
  }

  async open(language) {
    for (const domain of ['Page', 'Runtime', 'Network', 'Log', 'DOM']) await this.#ask(`${domain}.enable`);
    await this.#ask('Page.addScriptToEvaluateOnNewDocument', { source: WATCH });
    await this.#ask('Network.setExtraHTTPHeaders', { headers: { 'accept-language': language } });
    await this.size(1280, 900);
  }

  happened(method, params) {
    if (method === 'Page.loadEventFired') this.#loaded();
    if (method === 'Page.javascriptDialogOpening') {
      this.faults.push(`dialog: ${params.message}`);
      this.#ask('Page.handleJavaScriptDialog', { accept: true });
    }
    if (method === 'Runtime.exceptionThrown') {
      this.faults.push(`exception: ${params.exceptionDetails.exception?.description ?? params.exceptionDetails.text}`);
    }
    if (method === 'Runtime.consoleAPICalled' && ['error', 'warning'].includes(params.type)) {
      this.faults.push(`console: ${params.args.map((one) => one.value ?? one.description).join(' ')}`);
    }
    if (method === 'Log.entryAdded' && ['error', 'warning'].includes(params.entry.level)) {
      this.faults.push(`log: ${params.entry.text} ${params.entry.url ?? ''}`);
    }
    if (method === 'Network.requestWillBeSent') {
      const { url } = params.request;
      if (!url.startsWith(this.#origin) && !/^(blob|data):/.test(url)) this.faults.push(`request: ${url}`);
    }
  }

  async goto(url) {
    this.#origin = new URL(url).origin;
    const loaded = new Promise((resolve) => { this.#loaded = resolve; });
    await this.#ask('Page.navigate', { url });
    await loaded;
  }

  async size(width, height, scheme = 'light') {
    this.width = width;
    await this.#ask('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: width < 600 });
    await this.#ask('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
  }

  /** The value of an expression, which may be a promise. */
  async evaluate(expression) {
    const asked = { expression, awaitPromise: true, returnByValue: true, userGesture: true };
    const { result, exceptionDetails } = await this.#ask('Runtime.evaluate', asked);
    if (exceptionDetails) throw new Error(`${expression.slice(0, 200)}: ${result.description ?? exceptionDetails.text}`);
    return result.value ?? null;
  }

  /** Waits until an expression is true, on the page that there is or on the next ones that it leads to. */
  async until(expression) {
    const frames = `new Promise((resolve, reject) => {
      const begun = performance.now();
      const look = () => {
        if (${expression}) resolve();
        else if (performance.now() - begun > 20000) reject(new Error('never: ' + document.body.innerText.slice(0, 2000)));
        else setTimeout(look, 20);
      };
      look();
    })`;
    for (let pages = 1; ; pages += 1) {
      try {
        return await this.evaluate(frames);
      } catch (error) {
        // The page that was asked has given way to another one, which is asked anew.
        const navigated = /navigated or closed|context was destroyed|default execution context|was collected/i;
        if (pages === 10 || !navigated.test(error.message)) throw new Error(`${expression}: ${error.message}`);
      }
    }
  }

  /** Clicks with the mouse in the middle of an element, once it is there. */
  async click(selector) {
    const found = `document.querySelector(${JSON.stringify(selector)})`;
    await this.until(`${found}?.checkVisibility()`);
    const at = await this.evaluate(`(() => {
      const found = ${found};
      found.scrollIntoView({ block: 'center', behavior: 'instant' });
      const { x, y, width, height } = found.getBoundingClientRect();
      return { x: x + width / 2, y: y + height / 2 };
    })()`);
    for (const type of ['mouseMoved', 'mousePressed', 'mouseReleased']) {
      await this.#ask('Input.dispatchMouseEvent', { type, ...at, button: 'left', clickCount: 1 });
    }
  }

  /** Types into a field, in place of what is there. */
  async fill(selector, text) {
    await this.click(selector);
    await this.evaluate('document.activeElement.select()');
    await this.key('Delete', 46);
    if (text) await this.#ask('Input.insertText', { text });
  }

  async key(key, code, modifiers = 0) {
    for (const type of ['keyDown', 'keyUp']) {
      await this.#ask('Input.dispatchKeyEvent', {
        type, key, code: key, windowsVirtualKeyCode: code, modifiers, text: type === 'keyDown' && key === 'Enter' ? '\r' : undefined,
      });
    }
  }

  async files(selector, ...files) {
    const { result } = await this.#ask('Runtime.evaluate', { expression: `document.querySelector(${JSON.stringify(selector)})` });
    await this.#ask('DOM.setFileInputFiles', { files, objectId: result.objectId });
  }

  /** The whole page as a picture. */
  async shot(path, scale = 1) {
    const height = await this.evaluate('document.documentElement.scrollHeight');
    const clip = { x: 0, y: 0, width: this.width, height, scale };
    const { data } = await this.#ask('Page.captureScreenshot', { captureBeyondViewport: true, clip });
    writeFileSync(path, Buffer.from(data, 'base64'));
  }

  /** What axe finds that is serious or worse. */
  async axe(path) {
    if (!await this.evaluate('Boolean(globalThis.axe)')) await this.evaluate(`${readFileSync(path, 'utf8')}; 0`);
    return this.evaluate(`axe.run({ resultTypes: ['violations'] }).then(({ violations }) => violations
      .filter(({ impact }) => ['serious', 'critical'].includes(impact))
      .map(({ id, nodes }) => id + ': ' + nodes.map((node) => node.html + ' ' + node.failureSummary).join(' | ')))`);
  }

  /** What should not have happened so far. */
  async trouble() {
    const violations = await this.evaluate('globalThis.violations ?? []');
    const unexpected = this.faults.filter((fault) => !this.expected.some((words) => fault.includes(words)));
    return [...unexpected, ...violations.map((one) => `policy: ${one}`)];
  }
}

// Processes of the browser may outlive it by a moment and write to its profile, so that one try is not enough.
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
