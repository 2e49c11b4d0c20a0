// The page to try it: a picture goes up, what comes back is shown beside it.

import { storedKey } from '{{asset:common.js}}';
import { byId, bytes, count, duration, say, span, tell } from '{{asset:words.js}}';
import { credentials, keyForm, wrongKey } from '{{asset:access.js}}';
import { complaints, limits, refusal } from '{{asset:answers.js}}';
import { pictureType, plainName } from '{{asset:picture.js}}';
import { clearResult, resultAddress, runViewer, showOriginal, showResult } from '{{asset:viewer.js}}';
import { copyButtons } from '{{asset:code.js}}';
import { showSample } from '{{asset:samples.js}}';

/** The form's fields and the element of each, in the order of the API's complaints. */
const FIELDS = { image: 'file', w: 'w', h: 'h', angle: 'angle', format: 'format', bg_color: 'bg_color', mask: 'mask', exact_resize: 'exact_resize', expand: 'expand' };

/** What a caller without a key may do here, from the settings. */
const anonymous = { day: Number(byId('page').dataset.anonymous), burst: Number(byId('page').dataset.burst) };

const SAMPLE = '{{asset:mug.jpg}}';

const form = byId('try');

/** The chosen file, and the request under way. */
let file = null;
let request = null;

// --- Choosing a picture

async function choose(chosen) {
  cancel();
  file = chosen;
  clearErrors();
  clearAnswer();
  const type = await pictureType(file);
  showOriginal(type ? new Blob([file], { type }) : null);
  byId('chosen').textContent = file.name;
  tell(byId('status'), type ? '' : say('not_a_picture', { name: file.name }));
  showCode();
}

async function chooseSample() {
  try {
    const answer = await fetch(SAMPLE);
    if (!answer.ok) throw new Error(answer.statusText);
    await choose(new File([await answer.blob()], 'mug.jpg', { type: 'image/jpeg' }));
  } catch {
    fail(say('sample_failed'));
  }
}

function watchForPictures() {
  byId('file').addEventListener('change', (event) => {
    const [chosen] = event.target.files;
    // Emptied, so that the same file can be chosen again.
    if (chosen) choose(chosen).then(() => { event.target.value = ''; });
  });
  byId('sample').addEventListener('click', chooseSample);
  addEventListener('paste', (event) => takeFrom(event.clipboardData));
  addEventListener('dragover', (event) => {
    event.preventDefault();
    byId('canvas').classList.add('over');
  });
  addEventListener('dragleave', (event) => {
    if (!event.relatedTarget) byId('canvas').classList.remove('over');
  });
  addEventListener('drop', (event) => {
    event.preventDefault();
    byId('canvas').classList.remove('over');
    takeFrom(event.dataTransfer);
  });
}

function takeFrom(transfer) {
  if (transfer.files.length > 0) choose(transfer.files[0]);
}

// --- The request

/** The options that differ from what the API does by itself. */
function options() {
  const { w, h, exact_resize, mask, bg_color, angle, expand, format } = form.elements;
  const all = [
    ['format', format.value === 'webp' ? '' : format.value], ['w', w.value.trim()], ['h', h.value.trim()],
    ['exact_resize', exact_resize.checked ? 'true' : ''], ['mask', mask.checked ? 'true' : ''],
    ['bg_color', bg_color.value.trim()], ['angle', angle.value.trim()], ['expand', expand.checked ? '' : 'false'],
  ];
  return all.filter(([, value]) => value !== '');
}

function send(event) {
  event.preventDefault();
  cancel();
  clearErrors();
  clearAnswer();
  if (!file) return complain([{ field: 'image', words: say('need_picture') }]);
  const body = new FormData();
  body.append('image', file, file.name);
  for (const [name, value] of options()) body.append(name, value);
  const begun = performance.now();
  request = posted(body, (answer) => {
    ended();
    if (answer === null) fail(say('away'));
    else if (answer.status === 200) showPicture(answer, performance.now() - begun);
    else refuse(answer);
  });
}

/** A request under way. `done` gets it once it is answered, or null if there is no answer. */
function posted(body, done) {
  // XMLHttpRequest, because fetch does not tell how far an upload is.
  const sent = new XMLHttpRequest();
  sent.open('POST', '/rmbg');
  sent.responseType = 'arraybuffer';
  for (const [name, value] of Object.entries(credentials())) sent.setRequestHeader(name, value);
  sent.upload.addEventListener('progress', (event) => progress('uploading', event));
  sent.upload.addEventListener('load', () => progress('working'));
  sent.addEventListener('progress', (event) => progress('downloading', event));
  sent.addEventListener('load', () => done(sent));
  sent.addEventListener('error', () => done(null));
  byId('busy').hidden = false;
  byId('canvas').setAttribute('aria-busy', 'true');
  progress('uploading');
  sent.send(body);
  return sent;
}

/** Shows a phase, and how far it is where that is known. Only the phases are spoken, not each percent. */
function progress(phase, event) {
  const bar = byId('progress');
  if (event?.lengthComputable && event.total > 0) bar.value = Math.round(100 * event.loaded / event.total);
  else bar.removeAttribute('value');
  const words = `${say(phase)}…`;
  if (byId('phase').textContent === words) return;
  byId('phase').textContent = words;
  tell(byId('status'), words);
}

function ended() {
  request = null;
  byId('busy').hidden = true;
  byId('phase').textContent = '';
  byId('canvas').removeAttribute('aria-busy');
  tell(byId('status'), '');
}

function cancel() {
  if (!request) return;
  request.abort();
  ended();
  tell(byId('status'), say('cancelled'));
}

// --- The answer

async function showPicture(answer, took) {
  showAllowance(answer);
  const type = await pictureType(new Blob([answer.response]));
  // It has the type that its own bytes say; what is none of these is not shown, whatever the answer's header says.
  if (!type) return fail(say('not_shown'));
  const picture = new Blob([answer.response], { type });
  const readable = await showResult(picture);
  const download = byId('download');
  download.href = resultAddress();
  download.download = `${plainName(file.name).replace(/\.[^.]*$/, '')}-cutout.${type.slice(6)}`;
  download.hidden = false;
  tell(byId('status'), say(readable ? 'done' : 'not_decoded'));
  showFacts(answer, took, picture, readable && byId('after'));
}

function showFacts(answer, took, picture, shown) {
  const cost = answer.getResponseHeader('x-credits-charged');
  const left = answer.getResponseHeader('x-credits-remaining');
  const costs = { 0: say('no_cost'), 1: say('one_credit') };
  const facts = [
    ['fact_size', shown && `${count(shown.naturalWidth)} × ${count(shown.naturalHeight)}`],
    ['fact_file', `${picture.type.slice(6).toUpperCase()}, ${bytes(picture.size)}`],
    ['fact_took', duration(took)],
    ['fact_cost', cost && (costs[cost] ?? say('credits', { n: count(BigInt(cost)) }))],
    ['fact_left', left && count(BigInt(left))],
  ];
  byId('facts').replaceChildren(...facts.filter(([, value]) => value).map(([name, value]) => {
    const fact = document.createElement('div');
    fact.append(document.createElement('dt'), document.createElement('dd'));
    fact.firstChild.textContent = say(name);
    fact.lastChild.textContent = value;
    return fact;
  }));
  byId('facts').hidden = false;
}

function clearAnswer() {
  clearResult();
  byId('download').hidden = true;
  byId('download').removeAttribute('href');
  byId('facts').hidden = true;
}

function refuse(answer) {
  showAllowance(answer);
  let body;
  try {
    body = JSON.parse(new TextDecoder().decode(answer.response));
  } catch {
    return fail(say('failed', { status: answer.status, message: answer.statusText }));
  }
  const words = refusal(answer.status, body, Number(answer.getResponseHeader('retry-after')) || 1);
  if (answer.status === 401) {
    wrongKey(storedKey() ? words : say('closed'));
    showAllowance();
    return showCode();
  }
  const found = answer.status === 400 ? complaints(body) : [];
  if (found.length > 0 && found.every((one) => one.field in FIELDS)) return complain(found);
  fail(words);
}

/** What is wrong as a whole, beside the picture. */
function fail(words) {
  tell(byId('status'), '');
  tell(byId('problem'), words);
  byId('problem').focus();
}

/** What is wrong with fields, each beside its own. */
function complain(found) {
  for (const { field, words, spoken } of found) {
    byId(FIELDS[field]).setAttribute('aria-invalid', 'true');
    tell(byId(`${field}-error`), words, spoken);
  }
  if (file) tell(byId('problem'), found.length > 1 ? say('mistakes', { n: count(found.length) }) : say('mistake'));
  byId(FIELDS[found[0].field]).focus();
}

function clearErrors() {
  for (const [field, id] of Object.entries(FIELDS)) {
    byId(id).removeAttribute('aria-invalid');
    tell(byId(`${field}-error`), '');
  }
  tell(byId('problem'), '');
  wrongKey('');
}

/** What whoever is here may do: by the page's settings at first, by the last answer's headers from then on. */
function showAllowance(answer) {
  const left = answer?.getResponseHeader('x-credits-remaining');
  if (storedKey()) return tell(byId('allowance'), left ? say('left_key', { left: count(BigInt(left)) }) : '');
  if (anonymous.day === 0) return tell(byId('allowance'), say('closed'));
  const { day } = limits(answer?.getResponseHeader('ratelimit'));
  const terms = say('open', { day: count(anonymous.day), burst: count(anonymous.burst) });
  const today = day && say(day.left > 0n ? 'left_today' : 'left_today_at', {
    left: count(day.left), of: count(anonymous.day), span: span(day.resets),
  });
  tell(byId('allowance'), today ? `${terms} ${today}` : terms);
}

function showCode() {
  showSample({
    name: file ? plainName(file.name) : 'image.jpg',
    withKey: storedKey() !== '' || anonymous.day === 0,
    options: options(),
  });
}

watchForPictures();
runViewer();
keyForm(() => {
  clearErrors();
  showAllowance();
  showCode();
});
copyButtons();
form.addEventListener('submit', send);
form.addEventListener('input', (event) => {
  if (event.target.id === 'bg_color-pick') form.elements.bg_color.value = event.target.value;
  showCode();
});
byId('tabs').addEventListener('change', showCode);
byId('cancel').addEventListener('click', cancel);
showAllowance();
showCode();
