const DOTS = '•••';

/** The first character as a reader sees it, not half of one. */
function first(text: string): string {
  const code = text.codePointAt(0);
  return code === undefined ? '' : String.fromCodePoint(code);
}

/** An e-mail address for those who may not reveal it: `j•••@acme.example`. */
export function maskEmail(address: string): string {
  const at = address.lastIndexOf('@');
  return at < 0 ? `${first(address)}${DOTS}` : `${first(address)}${DOTS}${address.slice(at)}`;
}

/** A person's name for those who may not reveal it: `J•••`. */
export function maskName(name: string): string {
  return `${first(name)}${DOTS}`;
}

/** `masked` of what is there; null stays null. */
export function maskedOrNull(value: string | null, mask: (value: string) => string): string | null {
  return value === null ? null : mask(value);
}
