// Calls the official SDK, untouched, for each call on standard input, and prints what came of each as JSON.
'use strict';

const fs = require('node:fs');
const { rembg } = require('@remove-background-ai/rembg.js');

async function call({ apiKey, path, buffer, base64, options }) {
  const events = [];
  const note = (event) => events.push({
    upload: event.upload === true, loaded: event.loaded, total: event.total, progress: event.progress,
  });
  const inputImage = path ?? (base64 === undefined ? Buffer.from(buffer, 'base64') : { base64 });
  try {
    const result = await rembg({ apiKey, inputImage, options, onUploadProgress: note, onDownloadProgress: note });
    if (result.base64Image) return { base64Image: result.base64Image, events };
    const saved = fs.readFileSync(result.outputImagePath, 'base64');
    await result.cleanup();
    return { saved, path: result.outputImagePath, events };
  } catch (error) {
    return { error: error.message, events };
  }
}

(async () => {
  const results = [];
  for (const one of JSON.parse(fs.readFileSync(0, 'utf8'))) results.push(await call(one));
  // The SDK's own socket would keep the process alive until the gateway closes it.
  process.stdout.write(JSON.stringify(results), () => process.exit(0));
})();
