const GROUP = 4;
const BODY_CHARACTERS = 16;

/**
 * The canonical form of a typed licence key: spaces, dashes and case do not matter, and in the last 16 characters I and
 * L are read as 1 and O as 0. A text that does not read as `PREFIX-XXXX-XXXX-XXXX-XXXX` comes back exactly, in NFC and
 * trimmed: it is a key that was imported from elsewhere.
 */
export function canonicalLicenseKey(text: string): string {
  const packed = text.replace(/[\s-]/g, '').toUpperCase();
  const prefix = packed.slice(0, -BODY_CHARACTERS);
  const body = packed.slice(-BODY_CHARACTERS).replace(/[IL]/g, '1').replace(/O/g, '0');
  const generated = /^[A-Z]{2,10}$/.test(prefix) && /^[0-9A-HJKMNP-TV-Z]{16}$/.test(body);
  return generated ? [prefix, ...groups(body)].join('-') : exactLicenseKey(text);
}

/** A typed key as an imported one is stored: its exact characters. */
export function exactLicenseKey(text: string): string {
  return text.normalize('NFC').trim();
}

function groups(body: string): string[] {
  const parts: string[] = [];
  for (let at = 0; at < body.length; at += GROUP) parts.push(body.slice(at, at + GROUP));
  return parts;
}
