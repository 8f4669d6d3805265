import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { decodeProtectedHeader, importJWK, type JWK, compactVerify } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXIT } from '../../src/cli/exit-code.ts';
import { WITHOUT_COPY } from '../../src/custody/index.ts';
import { jsonOf, mintmark, type Transcript } from '../cli/run-cli.ts';
import { initFlags, type ServedAppliance, serveAppliance } from '../support/appliance-process.ts';
import { temporaryDirectory } from '../support/daemon.ts';
import { missingForTokens, SoftHsm, tokenSets } from '../support/softhsm.ts';

const missing = missingForTokens();
const SECOND = '00000000000000b2';
const title = 'a ceremony';

interface Result {
  readonly state: string;
  readonly digest: string;
  readonly keys: readonly { kid: string; purpose: string; madeNow: boolean; copy: string | null }[];
  readonly record: string | null;
}

describe.skipIf(missing !== null)(missing === null ? title : `${title}: NOT TRIED, ${missing}`, () => {
  const directory = temporaryDirectory();
  const at = (name: string): string => join(directory.path, name);
  const appliance = { data: at('data'), credential: at('kek') };
  let hsm: SoftHsm;
  let first: string;
  let sets: string[];
  let daemon: ServedAppliance;

  const operate = (args: readonly string[]): Promise<Transcript> =>
    mintmark([...args, '--data-dir', appliance.data]);
  const hold = (file: string, flags: readonly string[] = []): Promise<Transcript> =>
    operate(['hsm', 'ceremony', at(file), '--json', ...flags]);
  const resultOf = (transcript: Transcript): Result => jsonOf(transcript)['data'] as Result; // the command's answer
  const privateKeys = (): number =>
    (hsm.pkcs11Tool(['--list-objects', '--type', 'privkey']).match(/label:/g) ?? []).length;
  const kids = async (): Promise<string[]> =>
    (jsonOf(await operate(['keys', 'list', '--json']))['data'] as { kid: string }[]).map(({ kid }) => kid);
  const write = (name: string, lines: readonly string[] = []): string => {
    const text = [
      ...['name = "first keys"', 'operators = ["Ada Lovelace", "Grace Hopper"]', `serial = "${first}"`],
      ...[...lines, '[tenant]', `code = "${name}"`, 'name = "Acme"', ''],
    ].join('\n');
    writeFileSync(at(name), text);
    return text;
  };

  beforeAll(async () => {
    hsm = new SoftHsm();
    [first = ''] = hsm.serials();
    const [custodian = '', , ...rest] = tokenSets(hsm.settings);
    const token = `pkcs11.token=pkcs11:token=mintmark;serial=${first}`;
    const copy = [`pkcs11.copyToken=pkcs11:serial=${SECOND}`, `pkcs11.copyPinSource=${hsm.pinFile}`];
    sets = [custodian, token, ...rest, 'custody.inFiles=ledger,response', ...copy];
    const made = await mintmark([
      ...initFlags(directory.path),
      ...[...sets.flatMap((one) => ['--set', one]), '--without-tenant'],
    ]);
    expect(made.code, made.stderr).toBe(0);
    daemon = await serveAppliance(appliance, sets);
  });

  afterAll(async () => {
    expect(await daemon.stop()).toBe(0);
    hsm[Symbol.dispose]();
    directory[Symbol.dispose]();
  });

  it.each([
    ['surprise = true', 'surprise'],
    ['withoutCopy = "yes"', WITHOUT_COPY],
    [`moduleSha256 = "${'0'.repeat(64)}"`, 'not the module that was reviewed'],
  ])('with %s is not held', async (line, why) => {
    write('acme', [line]);
    const refused = await hold('acme');
    expect([refused.code, refused.stderr]).toEqual([EXIT.refused, expect.stringContaining(why)]);
    expect(privateKeys()).toBe(0);
  });

  it('for another token is not held', async () => {
    writeFileSync(at('acme'), write('acme').replace(first, 'ffffffffffffffff'));
    expect((await hold('acme')).stderr).toContain('the ceremony is for ffffffffffffffff');
  });

  it('is tried first: says what it would do, and does nothing', async () => {
    write('acme');
    const planned = resultOf(await hold('acme', ['--dry-run']));
    expect(planned).toMatchObject({ state: 'planned', keys: [], record: null });
    const text = await operate(['hsm', 'ceremony', at('acme'), '--dry-run']);
    expect(text.stdout).toContain(planned.digest);
    expect(text.stdout).toMatch(/make mintmark\/root\/[0-9a-f]{32}\n/);
    expect(text.stdout.match(/make mintmark\//g)).toHaveLength(6);
    expect(privateKeys()).toBe(0);
  });

  it('names nothing when it is ended in the middle, and goes on when it is run again', async () => {
    const running = hold('acme');
    while (privateKeys() === 0) await sleep(20);
    daemon.child.kill('SIGKILL');
    expect((await running).code).not.toBe(0);
    const before = privateKeys();
    daemon = await serveAppliance(appliance, sets);
    // The ledger key, and no key of a tenant that does not exist.
    expect(await kids()).toHaveLength(1);
    const waiting = await hold('acme');
    expect([waiting.code, waiting.stderr]).toEqual([EXIT.refused, expect.stringContaining('second token')]);
    const { state, keys } = resultOf(waiting);
    expect(state).toBe('waiting');
    expect(keys.filter(({ madeNow }) => !madeNow)).toHaveLength(before);
    expect(privateKeys()).toBe(6);
    expect(await kids()).toHaveLength(1);
  });

  it('makes the tenant when the second token holds each key, and signs the record with the ledger key', async () => {
    hsm.cloneToken(first, SECOND);
    const held = await hold('acme', ['--record-out', at('record.jws')]);
    expect(held.code, held.stderr).toBe(0);
    const { keys, digest } = resultOf(held);
    expect(keys.every(({ madeNow, copy }) => !madeNow && copy?.includes(SECOND))).toBe(true);
    const record = readFileSync(at('record.jws'), 'utf8').trim();
    const listed = jsonOf(await operate(['keys', 'list', '--json']))['data'] as {
      kid: string;
      purpose: string;
      custodian: string;
      jwk: JWK;
    }[];
    const ledger = listed.find(({ purpose }) => purpose === 'ledger');
    const { payload, protectedHeader } = await compactVerify(
      record,
      await importJWK(ledger?.jwk ?? {}, 'EdDSA'),
    );
    expect(protectedHeader).toEqual({ alg: 'EdDSA', kid: ledger?.kid, typ: 'mm-ceremony+jws' });
    const attributes = {
      local: true,
      sensitive: true,
      alwaysSensitive: true,
      extractable: false,
      neverExtractable: true,
    };
    expect(JSON.parse(Buffer.from(payload).toString('utf8'))).toMatchObject({
      ...{ operators: ['Ada Lovelace', 'Grace Hopper'], configSha256: digest },
      token: { serial: first, moduleSha256: expect.stringMatching(/^[0-9a-f]{64}$/) as string },
      keys: keys.map(({ kid }) => ({ kid, attributes })),
    });
    expect(decodeProtectedHeader(record)).toEqual(protectedHeader);
    expect(listed.map(({ kid }) => kid)).toEqual(expect.arrayContaining(keys.map(({ kid }) => kid)));
    // Those of custody.inFiles are made as always.
    expect(listed).toHaveLength(1 + 6 + 2);
    const inFiles = listed.filter(({ custodian }) => custodian === 'file').map(({ purpose }) => purpose);
    expect(inFiles.sort()).toEqual(['ledger', 'response', 'response']);
  });

  it('is held once', async () => {
    expect((await hold('acme')).stderr).toContain('tenant acme exists already');
    expect(privateKeys()).toBe(6);
  });

  it('accepts no key that somebody put there under the name that it will have', async () => {
    write('globex');
    const planned = await operate(['hsm', 'ceremony', at('globex'), '--dry-run']);
    const id = /mintmark\/root\/([0-9a-f]{32})/.exec(planned.stdout)?.[1] ?? '';
    hsm.importP256(first, { label: `mintmark/root/${id}`, id });
    const refused = await hold('globex');
    expect([refused.code, refused.stderr]).toEqual([EXIT.refused, expect.stringContaining('was made in it')]);
    expect((await operate(['tenant', 'list'])).stdout).not.toContain('globex');
  });
});
