import type { TreeFile } from '../tree.ts';

/** What a secret looks like in a file. The patterns are of whole secrets, so that prose about them stays free. */
const PATTERNS: readonly { readonly name: string; readonly pattern: RegExp }[] = [
  {
    name: 'private key (PEM)',
    pattern: /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----\s*[A-Za-z0-9+/=]{20}/,
  },
  { name: 'Mintmark API key', pattern: /\bsk_(?:live|test)_mm[A-Za-z0-9]{60}\b/ },
  { name: 'age identity', pattern: /\bAGE-SECRET-KEY-1[0-9A-Z]{50,}/ },
  { name: 'AWS access key', pattern: /\b(?:AKIA|ASIA)[0-9A-Z]{16}\b/ },
  { name: 'GitHub token', pattern: /\bgh[pousr]_[A-Za-z0-9]{36,}\b|\bgithub_pat_[A-Za-z0-9_]{60,}\b/ },
  { name: 'npm token', pattern: /\bnpm_[A-Za-z0-9]{36}\b|_authToken\s*=\s*[^\s$]/ },
  { name: 'Slack token', pattern: /\bxox[abeoprs]-[A-Za-z0-9-]{10,}/ },
  { name: 'Google API key', pattern: /\bAIza[0-9A-Za-z_-]{35}\b/ },
  {
    name: 'password in a URL',
    pattern: /\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@'"`<>${}]+:[^\s/:@'"`<>${}]{3,}@[a-z0-9]/i,
  },
  {
    name: 'JSON Web Token',
    pattern: /\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}/,
  },
];

/** A file that may hold what looks like a secret, and why that is no leak. */
export interface Allowance {
  /** The file, or with `/` at its end a folder and all below. */
  readonly path: string;
  readonly pattern: string;
  readonly reason: string;
}

/**
 * Secrets in files, one line each (`path:line: what`, never the secret), and allowances that allow nothing any more.
 */
export function findSecrets(files: readonly TreeFile[], allowed: readonly Allowance[]): string[] {
  const used = new Set<Allowance>();
  const found = files.flatMap((file) =>
    PATTERNS.flatMap(({ name, pattern }) => {
      const at = pattern.exec(file.text)?.index;
      if (at === undefined) return [];
      const allowance = allowed.find((one) => one.pattern === name && covers(one.path, file.path));
      if (allowance === undefined) return [`${file.path}:${lineAt(file.text, at)}: ${name}`];
      used.add(allowance);
      return [];
    }),
  );
  const stale = allowed
    .filter((one) => !used.has(one))
    .map((one) => `${one.path}: the allowance for a ${one.pattern} is no longer needed; remove it`);
  return [...found, ...stale];
}

function covers(allowed: string, path: string): boolean {
  return allowed.endsWith('/') ? path.startsWith(allowed) : path === allowed;
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}
