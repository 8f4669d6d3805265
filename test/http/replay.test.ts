import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { Fault } from '../../src/faults.ts';
import { Remembrance, Replays } from '../../src/http/replay.ts';
import type { Answer, Call } from '../../src/http/route.ts';
import { MemoryAnswers, openDoor, type TestPermit, type TestRoute, type TestTx } from './door.ts';

const permit: TestPermit = { name: 'ann', remember: () => undefined };
// A handler of these tests looks at nothing but who asks.
const call = { permit } as Call<TestPermit>;
const slot = (request = 'same') => ({ route: 'POST /x', key: 'k', request });

/** A route whose handler waits to be let go. */
function held() {
  const running: ((answer: Answer) => void)[] = [];
  const route: TestRoute = {
    method: 'POST',
    path: '/x',
    summary: 'x',
    tag: 'x',
    demand: 'somebody',
    answers: { 200: null },
    idempotent: 'answer',
    handle: () => new Promise<Answer>((resolve) => running.push(resolve)),
  };
  return { route, running };
}

function asking(route: TestRoute, waitMs?: number) {
  const answers = new MemoryAnswers();
  const replays = new Replays<TestPermit, TestTx>(answers, waitMs);
  const ask = (request?: string): Promise<Answer> =>
    replays.run({ route, call, slot: slot(request) }, new Remembrance(answers, route));
  return { ask };
}

const codeOf = (asked: Promise<unknown>): Promise<unknown> =>
  asked.then(
    () => 'answered',
    (error: unknown) => (error instanceof Fault ? error.code : error),
  );

describe('a request whose twin is running', () => {
  it('waits for it and gets its answer', async () => {
    const { route, running } = held();
    const { ask } = asking(route);
    const first = ask();
    const twins = Array.from({ length: 100 }, () => ask());
    running[0]?.({ status: 201, body: { data: { id: 7 } } });
    expect((await first).body).toEqual({ data: { id: 7 } });
    const answers = await Promise.all(twins);
    expect(new Set(answers.map((answer) => JSON.stringify(answer.body)))).toEqual(
      new Set(['{"data":{"id":7}}']),
    );
    expect(running).toHaveLength(1);
  });

  it('is told so when the twin runs longer than a request may wait, and gets the answer later', async () => {
    const { route, running } = held();
    const { ask } = asking(route, 20);
    const first = ask();
    expect(await codeOf(ask())).toBe('IDEMPOTENCY_IN_PROGRESS');
    running[0]?.({ status: 200, body: { data: {} } });
    await first;
    expect((await ask()).headers?.['Idempotent-Replayed']).toBe('true');
    expect(running).toHaveLength(1);
  });

  it('does not wait longer in all when one after another fails', async () => {
    const { route, running } = held();
    const { ask } = asking(route, 60);
    const asked = [ask(), ask(), ask()].map(codeOf);
    await new Promise((resolve) => setTimeout(resolve, 40));
    running[0]?.({ status: 422 });
    // The second runs now; the third has waited for two thirds of its time already, and not for the second anew.
    expect(await asked[2]).toBe('IDEMPOTENCY_IN_PROGRESS');
    running[1]?.({ status: 200 });
    expect(await Promise.all(asked.slice(0, 2))).toEqual(['answered', 'answered']);
  });

  it('is refused at once with another body, and as one of too many', async () => {
    const { route, running } = held();
    const { ask } = asking(route);
    const first = ask();
    expect(await codeOf(ask('other'))).toBe('IDEMPOTENCY_KEY_REUSED');
    const waiting = Array.from({ length: 256 }, () => ask());
    expect(await codeOf(ask())).toBe('IDEMPOTENCY_IN_PROGRESS');
    running[0]?.({ status: 200 });
    await first;
    expect((await Promise.all(waiting)).every(({ status }) => status === 200)).toBe(true);
  });
});

describe('twins over HTTP', () => {
  it('get one effect and equal answers, whether they come before, while or after it runs', async () => {
    let effects = 0;
    const row: TestRoute = {
      method: 'POST',
      path: '/x',
      summary: 'x',
      tag: 'x',
      demand: 'somebody',
      body: z.strictObject({ n: z.int() }),
      answers: { 201: null },
      idempotent: 'answer',
      handle: async () => {
        effects += 1;
        await new Promise((resolve) => setTimeout(resolve, 30));
        return { status: 201, body: { data: { effects } } };
      },
    };
    await using door = await openDoor([row]);
    const headers = {
      authorization: 'Bearer ann',
      'content-type': 'application/json',
      'idempotency-key': 'k',
    };
    const post = () => door.fetch('/x', { method: 'POST', headers, body: '{"n":1}' });
    const answers = await Promise.all(Array.from({ length: 100 }, post));
    const texts = await Promise.all([...answers, await post()].map((answer) => answer.text()));
    expect([effects, new Set(texts)]).toEqual([1, new Set(['{"data":{"effects":1}}'])]);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    const replayed = answers.filter(({ headers: got }) => got.get('idempotent-replayed') === 'true');
    expect(replayed).toHaveLength(99);
  });
});
