import { openDataDirectory } from '../../src/storage/data-directory.ts';
import { ENDLESS } from './later-migrations.ts';

/** Opens a data directory with a migration that never ends, until it is killed. */
const [root = ''] = process.argv.slice(2);
await openDataDirectory(root, { dev: false }, ENDLESS);
