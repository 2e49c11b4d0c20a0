// Calls remove.bg's API as its callers do in Node, and prints what came of each call as JSON: the npm package, untouched,
// and the published sample, which uses axios and form-data.
'use strict';

const fs = require('node:fs');
const axios = require('axios');
const FormData = require('form-data');
const { removeBackgroundFromImageFile, removeBackgroundFromImageBase64 } = require('remove.bg');

async function sample({ apiKey, path }) {
  const formData = new FormData();
  formData.append('size', 'auto');
  formData.append('image_file', fs.createReadStream(path), 'cat.png');
  const response = await axios({
    method: 'post',
    url: 'https://api.remove.bg/v1.0/removebg',
    data: formData,
    responseType: 'arraybuffer',
    headers: { ...formData.getHeaders(), 'X-Api-Key': apiKey },
  });
  return { status: response.status, picture: response.data.toString('base64') };
}

const calls = {
  file: ({ apiKey, path, options }) => removeBackgroundFromImageFile({ apiKey, path, ...options }),
  base64: ({ apiKey, base64img, options }) => removeBackgroundFromImageBase64({ apiKey, base64img, ...options }),
  sample,
};

(async () => {
  const results = [];
  for (const one of JSON.parse(fs.readFileSync(0, 'utf8'))) {
    results.push(await calls[one.call](one).then((result) => ({ result }), (error) => ({ error })));
  }
  process.stdout.write(JSON.stringify(results), () => process.exit(0));
})();
