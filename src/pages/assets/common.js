// What the scripts of all pages share: the caller's key, and building elements out of text.

const KEY = 'rembg-gateway.key';

/** The API key that was pasted in this tab, or ''. */
export function storedKey() {
  return sessionStorage.getItem(KEY) ?? '';
}

/** Keeps the key until the tab is closed; '' forgets it. */
export function storeKey(key) {
  if (key) sessionStorage.setItem(KEY, key);
  else sessionStorage.removeItem(KEY);
}

/** The address of this server: the configured one, else the one that the page came from. */
export function server() {
  return document.body.dataset.publicUrl || location.origin;
}

/** The words of the page: the object in `<script type="application/json" id="words">`. */
export function words() {
  return JSON.parse(document.getElementById('words').textContent);
}

/**
 * An element. `properties` are attributes, or listeners (`onclick`); true is an attribute without a value, false, null and
 * undefined are none. Children are elements and texts, and texts stay texts.
 */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (typeof value === 'function') made.addEventListener(key.slice(2), value);
    else if (value === true) made.setAttribute(key, '');
    else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

/** Raster types that an answer is shown as: nothing that can run anything. */
const SHOWN = ['image/png', 'image/jpeg', 'image/webp', 'image/bmp', 'image/gif'];

/** Whether an answer of this type may be shown as a picture. */
export function isPicture(contentType) {
  return SHOWN.includes((contentType ?? '').split(';')[0].trim().toLowerCase());
}

/** Copies text, and says so on the button for a moment. */
export async function copy(text, button, done = 'Copied') {
  await navigator.clipboard.writeText(text);
  const before = button.textContent;
  button.textContent = done;
  setTimeout(() => { button.textContent = before; }, 1500);
}
