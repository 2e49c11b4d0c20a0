// Walks through the pages and takes their pictures.
import { Chromium } from '../../tests/support/browser/chromium.mjs';

const [origin, key] = process.argv.slice(2);
const browser = new Chromium();
const KEEP = `sessionStorage.setItem('rembg-gateway.key', ${JSON.stringify(key)})`;

async function taken(name, { width, scheme, language = 'en' }, path, walk) {
  const page = await browser.page(language);
  await page.size(width, 800, scheme);
  await page.goto(`${origin}${path}`);
  await page.evaluate(KEEP);
  await page.goto(`${origin}${path}`);
  await walk(page);
  await page.evaluate('document.activeElement.blur(), scrollTo(0, 0)');
  // Smaller than they are, as a repository keeps every version of them.
  await page.shot(new URL(`${name}.png`, import.meta.url).pathname, 0.7);
}

const cutOut = async (page) => {
  await page.click('#sample');
  await page.until(`document.querySelector('#before').checkVisibility()`);
  await page.click('#submit');
  await page.until(`document.querySelector('#facts').checkVisibility()`);
};
const report = (page) => page.until(`document.querySelector('#month-text').textContent`);

try {
  await taken('try', { width: 1280, scheme: 'light' }, '/', cutOut);
  await taken('try-narrow-dark', { width: 390, scheme: 'dark' }, '/', cutOut);
  await taken('usage', { width: 1280, scheme: 'light' }, '/usage', report);
  await taken('usage-narrow-dark-vietnamese', { width: 390, scheme: 'dark', language: 'vi' }, '/usage', report);
} finally {
  await browser.close();
}
