import { createHash } from 'node:crypto';
import { readFileSync, realpathSync, statSync } from 'node:fs';
import { dirname, isAbsolute } from 'node:path';
import { Fault } from '../../faults.ts';
import { TokenError } from './cryptoki.ts';

const OTHERS_WRITE = 0o022;
/** Like /tmp: others may add files, and not replace those that are there. */
const STICKY = 0o1000;

/**
 * The real path of a PKCS#11 module. Who can replace the file or its name runs code beside the PIN: both belong to root or
 * to us, and nobody else may write them.
 * @throws TokenError setup
 */
export function modulePath(configured: string): string {
  if (!isAbsolute(configured)) throw setup(`the module ${configured} is not named by its whole path`);
  const path = resolved(configured);
  demandOurs(path, `the module ${path}`);
  demandOurs(dirname(path), `the directory ${dirname(path)}`);
  return path;
}

/**
 * SHA-256 of a module's file, in hex: whether it is the one that somebody looked at.
 * @throws Fault CONFIG_INVALID when it cannot be loaded as it lies there
 */
export function moduleDigest(configured: string): string {
  try {
    const bytes = readFileSync(modulePath(configured));
    return createHash('sha256').update(bytes).digest('hex');
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : '';
    throw new Fault('CONFIG_INVALID', `the module cannot be read: ${why}`, { cause });
  }
}

function resolved(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    throw setup(`the module ${path} is not there`);
  }
}

function demandOurs(path: string, what: string): void {
  const { uid, mode } = statSync(path);
  if (uid !== 0 && uid !== process.getuid?.())
    throw setup(`${what} belongs to somebody else than root or us`);
  if ((mode & OTHERS_WRITE) !== 0 && (mode & STICKY) === 0) throw setup(`${what} can be written by others`);
}

function setup(detail: string): TokenError {
  return new TokenError('setup', 'MODULE', detail);
}
