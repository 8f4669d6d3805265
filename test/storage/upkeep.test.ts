import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { upkeepStatement } from '../../src/storage/statement.ts';

const SOURCES = new URL('../../src', import.meta.url).pathname;

describe('a statement of upkeep', () => {
  it('is declared by the walks over sealed values and nothing else: it changes recorded rows without an entry', () => {
    const naming = readdirSync(SOURCES, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .filter((name) => readFileSync(join(SOURCES, name), 'utf8').includes('upkeepStatement'));
    expect(naming.toSorted()).toEqual(['storage/sealed-walks.ts', 'storage/statement.ts']);
  });

  it('neither adds nor removes rows', () => {
    expect(() =>
      upkeepStatement<{ id: string }>()((db, p) =>
        db.deleteFrom('licenses').where('realm_id', '=', p.realm).where('id', '=', p.id),
      ),
    ).toThrow('upkeep neither adds nor removes rows');
  });
});
