// The form that takes, shows and forgets the key of this tab.

import { storedKey, storeKey } from '{{asset:common.js}}';
import { byId, say, tell } from '{{asset:words.js}}';

/** The header that says who is calling. */
export const credentials = () => (storedKey() ? { 'x-api-key': storedKey() } : {});

/** Runs the form; `changed` is called after a key has been taken or forgotten. */
export function keyForm(changed) {
  byId('access').addEventListener('submit', (event) => {
    event.preventDefault();
    const given = byId('key').value.trim();
    // A header takes no other characters, and no key has any.
    const possible = /^[\x21-\x7e]+$/.test(given);
    wrongKey(possible ? '' : say(given ? 'key_wrong' : 'key_missing'));
    if (!possible) return byId('key').focus();
    storeKey(given);
    byId('key').value = '';
    show();
    byId('key-forget').focus();
    changed();
  });
  byId('key-forget').addEventListener('click', () => {
    storeKey('');
    wrongKey('');
    show();
    byId('key').focus();
    changed();
  });
  show();
}

function show() {
  const held = storedKey();
  byId('key-entry').hidden = held !== '';
  byId('key-held').hidden = held === '';
  byId('key-name').textContent = held.length > 12 ? say('key_in_use', { end: `…\u2060${held.slice(-4)}` }) : say('key_short');
}

/** Says what is wrong with the key beside its field; a key in use is forgotten, so that another can be typed. */
export function wrongKey(text) {
  tell(byId('key-error'), text);
  if (!text) return byId('key').removeAttribute('aria-invalid');
  byId('key').setAttribute('aria-invalid', 'true');
  storeKey('');
  show();
  byId('key').focus();
}
