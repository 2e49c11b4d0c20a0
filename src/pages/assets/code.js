// Code to copy.

import { byId, say } from '{{asset:words.js}}';

/** What stands in code for the key, which is never shown. */
export const PLACEHOLDER = 'YOUR_API_KEY_HERE';

/** A word of a shell command: in quotes that nothing inside can leave. */
export const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** Makes every button with `data-copies` copy the text of the element that it names. */
export function copyButtons() {
  for (const button of document.querySelectorAll('[data-copies]')) {
    const words = button.textContent;
    button.addEventListener('click', async () => {
      const source = byId(button.dataset.copies);
      const copied = await navigator.clipboard?.writeText(source.textContent).then(() => true, () => false);
      // Without the clipboard (plain http from another machine) the text is marked, so that Ctrl-C takes it.
      if (!copied) getSelection().selectAllChildren(source);
      button.textContent = say(copied ? 'copied' : 'copy_failed');
      setTimeout(() => { button.textContent = words; }, 2_000);
    });
  }
}
