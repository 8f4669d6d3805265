import { API_KEY_SCOPES, SCOPES } from '../../src/access/index.ts';
import { page, table } from './markdown.ts';

/** docs/scopes.md: every scope, and who can be given it. */
export function scopesPage(): string {
  const forKeys = new Set<string>(API_KEY_SCOPES);
  const rows = SCOPES.map((scope) => [
    `\`${scope}\``,
    forKeys.has(scope) ? 'API keys, operators' : 'operators',
  ]);
  return page('Scopes', '`src/access/scopes.ts`', [
    'What a credential may do: `<resource>:<verb>`. An API key has a list of scopes, and may do nothing that is not on it; an\n' +
      'empty list means nothing at all. A request without the scope it needs is refused with 403 `INSUFFICIENT_SCOPE`, which\n' +
      'names the scope.',
    table(['scope', 'can be given to'], rows),
  ]);
}
