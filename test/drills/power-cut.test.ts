import { expect, it } from 'vitest';
import { serveAppliance } from '../support/appliance-process.ts';
import { openDesk } from './desk.ts';
import { reach } from '../support/stock.ts';

/** operations.md, Drills: serves by itself after boot with the default slot; nothing acknowledged is lost. */
it('power cut: it serves by itself, and has everything that it had answered', async () => {
  using desk = await openDesk();
  const made = { data: desk.appliance.data, credential: String(desk.appliance.credential) };
  const key = desk.appliance.secretKey.expose();
  const daemon = await serveAppliance(made);
  const answers = await Promise.all(
    Array.from({ length: 20 }, () => reach({ url: daemon.url, key }).post('/licenses', desk.stock)),
  );
  daemon.child.kill('SIGKILL');
  await daemon.exited;
  const ids = answers.map(({ body }) => (body['data'] as { id: string }).id); // each was answered 201
  const again = await serveAppliance(made);
  const found = await Promise.all(ids.map((id) => reach({ url: again.url, key }).get(`/licenses/${id}`)));
  expect(found.map(({ status }) => status)).toEqual(ids.map(() => 200));
  expect(await again.stop()).toBe(0);
});
