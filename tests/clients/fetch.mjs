// Uploads with fetch and FormData as Node has them: one upload for each size. Prints the answers as JSON.
const [url, key, ...sizes] = process.argv.slice(2);

const results = [];
for (const size of sizes) {
  const form = new FormData();
  const header = Buffer.from('89504e470d0a1a0a0000000d4948445200000004000000040806000000', 'hex');
  form.append('image', new Blob([header, Buffer.alloc(Number(size))], { type: 'image/png' }), 'say "cheese".png');
  form.append('w', '7');
  const answer = await fetch(url, { method: 'POST', headers: { 'x-api-key': key }, body: form });
  const type = answer.headers.get('content-type');
  results.push({ status: answer.status, type, body: await answer.text() });
}
process.stdout.write(JSON.stringify(results));
