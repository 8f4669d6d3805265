import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Daemon } from '../../src/daemon.ts';
import { mintmark, type Transcript } from '../cli/run-cli.ts';
import { temporaryDirectory } from '../support/daemon.ts';
import { type LocalAppliance, makeLocalAppliance, startLocal } from '../support/local-appliance.ts';
import { reach, type Reach, type Stock, stockUp } from '../support/stock.ts';

/** What an operator has before him in a drill: an appliance that served, a licence of it, and his commands. */
export interface Desk {
  readonly appliance: LocalAppliance;
  readonly at: (name: string) => string;
  /** A licence with one activated machine. */
  readonly license: { readonly id: string; readonly key: string };
  readonly stock: Pick<Stock, 'productId' | 'policyId'>;
  start(sets?: Readonly<Record<string, unknown>>): Promise<Daemon>;
  to(daemon: Daemon): Reach;
  /** A command on the appliance, or on the one in another directory. */
  run(args: readonly string[], data?: string): Promise<Transcript>;
  [Symbol.dispose](): void;
}

/** The machine of the customer, as every drill activates it. */
export const MACHINE = { fingerprint: 'the-machine-of-the-customer' };

/** Makes an appliance that has served a while, and has stopped. @param disk where its data lies (default: beside the rest) */
export async function openDesk(disk?: string): Promise<Desk> {
  const directory = temporaryDirectory();
  const at = (name: string): string => join(directory.path, name);
  const appliance = await makeLocalAppliance(join(disk ?? directory.path, 'site'));
  writeFileSync(at('recovery.txt'), appliance.recoveryCode.expose(), { mode: 0o600 });
  const start = (more = {}): Promise<Daemon> => startLocal(appliance, { sets: more });
  const key = appliance.secretKey.expose();
  const daemon = await start();
  const stock = await stockUp({ url: daemon.places.api, key }, 'app');
  const license = await stock.license();
  expect((await stock.post(`/licenses/${license.id}/machines`, MACHINE)).status).toBe(201);
  await daemon.stop();
  return {
    ...{ appliance, at, license, stock, start },
    to: ({ places }) => reach({ url: places.api, key }),
    run: (args, data = appliance.data) => mintmark([...args, '--data-dir', data]),
    [Symbol.dispose]: () => {
      directory[Symbol.dispose]();
    },
  };
}

/** What goes on in every state: the machine of the customer is judged. */
export async function validates(desk: Desk, daemon: Daemon): Promise<unknown> {
  const answer = await desk.to(daemon).post('/licenses/validate-key', { key: desk.license.key, ...MACHINE });
  return (answer.body['data'] as { code?: string } | undefined)?.code ?? answer.body['code'];
}

/** Asks for a licence: `done`, or the code it is refused with. */
export async function creates(desk: Desk, daemon: Daemon): Promise<unknown> {
  const { status, body } = await desk.to(daemon).post('/licenses', desk.stock);
  return status === 201 ? 'done' : body['code'];
}

/** Asks for a file: its branch and number stand in the list of files; or the code it is refused with. */
export async function checksOut(desk: Desk, daemon: Daemon): Promise<unknown> {
  const { status, body } = await desk.to(daemon).post(`/licenses/${desk.license.id}/checkout`, MACHINE);
  return status === 200 ? 'done' : body['code'];
}

/** What `mintmark status` says of the state. */
export async function stateOf(desk: Desk): Promise<string> {
  const said = await desk.run(['status', '--json']);
  return (JSON.parse(said.stdout) as { data: { state: string } }).data.state;
}
