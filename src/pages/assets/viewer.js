// The picture before and after, one over the other: what lies between is moved by a slider, what is behind can be chosen.

import { byId, say } from '{{asset:words.js}}';

const canvas = byId('canvas');
const [before, after] = [byId('before'), byId('after')];

/** The address of the original, and of what came back. */
const shown = { before: '', after: '' };

/** Shows the original alone; a null takes everything away. */
export function showOriginal(picture) {
  URL.revokeObjectURL(shown.before);
  shown.before = picture ? URL.createObjectURL(picture) : '';
  byId('invitation').hidden = picture !== null;
  before.hidden = picture === null;
  if (picture) before.src = shown.before;
  else before.removeAttribute('src');
}

/** Lays what came back under the original. Whether this browser can read it. */
export async function showResult(picture) {
  clearResult();
  shown.after = URL.createObjectURL(picture);
  after.src = shown.after;
  const readable = await after.decode().then(() => true, () => false);
  if (!readable) return false;
  reveal(true);
  canvas.style.aspectRatio = `${after.naturalWidth} / ${after.naturalHeight}`;
  split(50);
  return true;
}

/** Takes away what came back; the original stays. */
export function clearResult() {
  URL.revokeObjectURL(shown.after);
  shown.after = '';
  after.removeAttribute('src');
  canvas.style.aspectRatio = '';
  reveal(false);
}

/** Where what came back can be downloaded from. */
export const resultAddress = () => shown.after;

function reveal(result) {
  for (const id of ['after', 'split', 'divider', 'ground']) byId(id).hidden = !result;
  canvas.classList.toggle('compared', result);
}

function split(percent) {
  byId('split').value = percent;
  byId('split').setAttribute('aria-valuetext', say('split_text', { n: percent }));
  // By the style object, because the page's policy forbids style attributes.
  canvas.style.setProperty('--split', `${percent}%`);
}

function ground() {
  canvas.dataset.ground = byId('ground').querySelector('[name=ground]:checked').value;
  canvas.style.setProperty('--behind', byId('ground-colour').value);
}

/** Makes the slider and the choice of a ground work. */
export function runViewer() {
  byId('split').addEventListener('input', (event) => split(Number(event.target.value)));
  byId('ground').addEventListener('change', ground);
  byId('ground-colour').addEventListener('input', () => {
    byId('ground').querySelector('[value=own]').checked = true;
    ground();
  });
}
