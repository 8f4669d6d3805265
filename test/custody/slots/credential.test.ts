import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  credentialPlace,
  DEFAULT_CREDENTIAL_PATH,
  readCredential,
  writeCredential,
} from '../../../src/custody/slots/credential.ts';
import { faultCode, random, temporaryDirectory } from '../custody-fixtures.ts';

const at = (path: string) => ({ path, byServiceManager: false });

describe('a credential', () => {
  it('is 32 random bytes in a new file of mode 0600', () => {
    const [data, outside] = [temporaryDirectory(), temporaryDirectory()];
    const path = join(outside, 'credentials', 'kek');
    const key = writeCredential(path, data, random);
    expect(readFileSync(path)).toEqual(key.expose());
    expect(readFileSync(path)).toHaveLength(32);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readCredential(at(path), data).expose()).toEqual(key.expose());
    expect(faultCode(() => writeCredential(path, data, random))).toBe('KEY_STORAGE');
  });

  it('is refused inside the data directory, also behind a link', () => {
    const [data, outside] = [temporaryDirectory(), temporaryDirectory()];
    symlinkSync(data, join(outside, 'link'));
    for (const path of [join(data, 'kek'), join(data, 'deep', 'kek'), join(outside, 'link', 'kek')]) {
      expect(faultCode(() => writeCredential(path, data, random))).toBe('KEY_STORAGE');
    }
    writeFileSync(join(data, 'kek'), Buffer.alloc(32), { mode: 0o600 });
    symlinkSync(join(data, 'kek'), join(outside, 'kek'));
    expect(faultCode(() => readCredential(at(join(outside, 'kek')), data))).toBe('KEY_STORAGE');
  });

  it('is taken from a directory beside that begins with the same name', () => {
    const parent = temporaryDirectory();
    const path = join(parent, 'data-beside', 'kek');
    expect(faultCode(() => writeCredential(path, join(parent, 'data'), random))).toBe('none');
    const hidden = join(parent, 'data', '..kek');
    expect(faultCode(() => writeCredential(hidden, join(parent, 'data'), random))).toBe('KEY_STORAGE');
  });

  it('is refused when it is missing, of another length, or open to others', () => {
    const [data, outside] = [temporaryDirectory(), temporaryDirectory()];
    const path = join(outside, 'kek');
    expect(() => readCredential(at(path), data)).toThrow('is missing');
    writeFileSync(path, Buffer.alloc(31), { mode: 0o600 });
    expect(() => readCredential(at(path), data)).toThrow('not a key of 32 bytes');
    writeFileSync(path, Buffer.alloc(32));
    chmodSync(path, 0o640);
    expect(() => readCredential(at(path), data)).toThrow('can be read by others');
    expect(readCredential({ path, byServiceManager: true }, data).expose()).toHaveLength(32);
  });

  it('is what the service manager hands over, before what is configured, before the default', () => {
    const handed = temporaryDirectory();
    const path = '/etc/elsewhere/kek';
    expect(credentialPlace({ credentialsDirectory: handed, path })).toEqual(at(path));
    mkdirSync(handed, { recursive: true });
    writeFileSync(join(handed, 'kek'), Buffer.alloc(32));
    expect(credentialPlace({ credentialsDirectory: handed, path })).toEqual({
      path: join(handed, 'kek'),
      byServiceManager: true,
    });
    expect(credentialPlace({})).toEqual(at(DEFAULT_CREDENTIAL_PATH));
  });
});

describe('the unit of systemd', () => {
  it('hands over the credential under the name that is looked for, and starts without it', () => {
    const unit = readFileSync('systemd/mintmark.service', 'utf8');
    const [, name = ''] = /^LoadCredential=([^:]+):/m.exec(unit) ?? [];
    expect(unit).toContain(`LoadCredential=${name}:${DEFAULT_CREDENTIAL_PATH}\n`);
    expect(unit).toContain(`SetCredential=${name}:`);
    const directory = temporaryDirectory();
    writeFileSync(join(directory, name), '');
    const place = credentialPlace({ credentialsDirectory: directory, path: '/elsewhere' });
    expect(place).toEqual({ path: join(directory, name), byServiceManager: true });
  });
});
