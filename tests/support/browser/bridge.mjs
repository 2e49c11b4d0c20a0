// Lets a test drive the browser: one JSON command a line on standard input, one JSON answer a line on standard output.
import { createInterface } from 'node:readline';
import { Chromium } from './chromium.mjs';

const AXE = new URL('../../../.cache/pages/node_modules/axe-core/axe.min.js', import.meta.url).pathname;

const browser = new Chromium(process.argv.slice(2));
const pages = [];

const commands = {
  open: async (_, language) => pages.push(await browser.page(language)) - 1,
  expect: (page, words) => { page.expected.push(words); },
  axe: (page) => page.axe(AXE),
};

for await (const line of createInterface({ input: process.stdin })) {
  const [at, name, ...values] = JSON.parse(line);
  const page = pages[at];
  let answer;
  try {
    answer = { value: await (commands[name] ? commands[name](page, ...values) : page[name](...values)) ?? null };
  } catch (error) {
    answer = { error: error.message };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await browser.close();
