import { holdersOf, SCOPES } from '../../src/access/index.ts';
import { page, table } from './markdown.ts';

const HOLDERS = {
  'api-keys': 'API keys, operators',
  operators: 'operators',
  nobody: 'nobody: reserved for what is not in this version',
} as const;

/** docs/scopes.md: every scope, and who can be given it. */
export function scopesPage(): string {
  const rows = SCOPES.map((scope) => [`\`${scope}\``, HOLDERS[holdersOf(scope)]]);
  return page('Scopes', '`src/access/scopes.ts`', [
    'What a credential may do: `<resource>:<verb>`. An API key has a list of scopes, and may do nothing that is not on it; an\n' +
      'empty list means nothing at all. A request without the scope it needs is refused with 403 `INSUFFICIENT_SCOPE`, which\n' +
      'names the scope. The first key, which `init` makes, has every scope that an API key can have.',
    table(['scope', 'can be given to'], rows),
  ]);
}
