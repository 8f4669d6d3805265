import { crc32 } from 'node:zlib';

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/** A key's text with another kind or environment and a checksum that fits: what a forger would write. */
export function rewritten(
  text: string,
  to: { readonly kind?: string; readonly environment?: string },
): string {
  const [kind = '', environment = '', rest = ''] = text.slice(0, -6).split('_');
  const body = `${to.kind ?? kind}_${to.environment ?? environment}_${rest}`;
  let check = '';
  for (let left = crc32(body), count = 0; count < 6; count++, left = Math.floor(left / 62)) {
    check = DIGITS.charAt(left % 62) + check;
  }
  return body + check;
}
