// What a file is by its first bytes, as the API judges it.

const SIGNATURES = [
  ['image/png', [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]],
  ['image/jpeg', [0xff, 0xd8, 0xff]],
  ['image/bmp', [0x42, 0x4d]],
];

/** The type of a raster picture, or an empty text. */
export async function pictureType(file) {
  const head = new Uint8Array(await file.slice(0, 12).arrayBuffer());
  const text = String.fromCharCode(...head);
  if (text.startsWith('RIFF') && text.slice(8) === 'WEBP') return 'image/webp';
  const found = SIGNATURES.find(([, signature]) => signature.every((byte, at) => head[at] === byte));
  return found?.[0] ?? '';
}

/** A file's name without anything that a terminal, a shell or curl reads as more than a name. */
export function plainName(name) {
  return /^[\p{L}\p{N}][\p{L}\p{N} ._-]*$/u.test(name) ? name : 'picture.jpg';
}
