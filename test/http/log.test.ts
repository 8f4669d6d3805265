import { describe, expect, it } from 'vitest';
import { JsonLog, type LogLevel } from '../../src/http/log.ts';
import { Secret } from '../../src/lib/secret.ts';
import { HeldClock } from '../support/held-clock.ts';

const open = (level: LogLevel = 'info', keepsUp = true) => {
  const texts: string[] = [];
  const sink = { write: (text: string) => texts.push(text) > 0 && keepsUp };
  const log = new JsonLog({ sink, clock: new HeldClock(), level });
  const lines = (): Record<string, unknown>[] => {
    log.flush();
    const all = texts.join('').split('\n').slice(0, -1);
    return all.map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  return { log, lines, texts };
};

describe('the log', () => {
  it('is one JSON object a line: time, level, message, fields', () => {
    const { log, lines } = open();
    log.info('request', { route: 'GET /health', status: 200, text: 'a\nb\u2028' });
    expect(lines()).toEqual([
      {
        time: '2026-06-01T12:00:00.000Z',
        level: 'info',
        message: 'request',
        route: 'GET /health',
        status: 200,
        text: 'a\nb\u2028',
      },
    ]);
  });

  it('leaves out what is below its level', () => {
    const { log, lines } = open('warn');
    log.debug('d');
    log.info('i');
    log.warn('w');
    log.error('e');
    expect(lines().map(({ level }) => level)).toEqual(['warn', 'error']);
  });

  it('hands over what matters at once, and the rest together', () => {
    const { log, texts } = open();
    log.info('a');
    log.info('b');
    expect(texts).toHaveLength(0);
    log.error('c');
    expect(texts).toHaveLength(1);
  });

  it('shows errors with stack and cause, and never a secret', () => {
    const { log, lines } = open();
    const error = new Error('outer', { cause: new Error('inner') });
    log.error('failed', { error, key: new Secret('hunter2') });
    const [line] = lines();
    expect(line).toMatchObject({
      key: '[secret]',
      error: { name: 'Error', message: 'outer', cause: { message: 'inner' } },
    });
    expect(JSON.stringify(line)).not.toContain('hunter2');
  });

  it('whose reader has stopped drops what is not urgent, and says how much', () => {
    const { log, lines } = open('info', false);
    const long = 'x'.repeat(1000);
    for (let count = 0; count < 10_000; count++) log.info(long);
    log.warn('still said');
    const all = lines();
    expect(all.length).toBeLessThan(6000);
    expect(all.find(({ message }) => message === 'log lines were dropped')?.['count']).toBeGreaterThan(1000);
    expect(all.some(({ message }) => message === 'still said')).toBe(true);
  });
});
