import { describe, expect, it } from 'vitest';
import { listTree, readTree } from '../../scripts/tree.ts';
import { findOpenedDatabases } from './database-files.ts';

const code = readTree(listTree().filter((path) => /^src\/.*\.ts$/.test(path)));
const planted = (text: string): string[] => findOpenedDatabases({ path: 'src/a.ts', text });

describe('the files that SQLite holds locks on', () => {
  it('are opened by nothing but SQLite: closing any other descriptor would drop its locks', () => {
    expect(code.flatMap(findOpenedDatabases)).toEqual([]);
  });

  it.each([
    ['readFileSync(paths.database)', 'readFileSync'],
    ['await open(parts.directory.paths.database, "r")', 'open'],
    ['const { database, root } = directory.paths;\nfs.copyFileSync(database, root)', 'fs.copyFileSync'],
    ['const { lock: held } = paths;\ncreateReadStream(held)', 'createReadStream'],
    ['const log = `${paths.database}-wal`;\ntruncateSync(log)', 'truncateSync'],
    ['const log = paths.database + "-wal";\nreadFile(log)', 'readFile'],
    ['writeFileSync(join(root, "lock.db"), "")', 'writeFileSync'],
    ['openSync(`${root}/mintmark.db-shm`)', 'openSync'],
    ['copySomewhere(paths.database)', 'copySomewhere'],
    ['statSync(openOf(paths.lock))', 'openOf'],
  ])('are found where something else gets their path: %s', (text, callee) => {
    expect(planted(text)).toEqual([
      expect.stringContaining(`: ${callee} gets the path of a file that SQLite holds locks on`),
    ]);
  });

  it('may be looked at, named in words, and given to SQLite', () => {
    const text = `
      const { database, root } = directory.paths;
      const log = \`\${database}-wal\`;
      if (existsSync(log) && statSync(database).size > 0) Database.openWriter(database);
      new BetterSqlite3(paths.lock);
      readFileSync(paths.lockOwner);
      readdirSync(root);
      throw new Fault('DATA_DIRECTORY_INVALID', \`\${paths.database} is no database\`);`;
    expect(planted(text)).toEqual([]);
  });
});
