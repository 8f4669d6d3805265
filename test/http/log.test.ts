import { describe, expect, it } from 'vitest';
import { JsonLog, type LogLevel } from '../../src/http/log.ts';
import { Secret } from '../../src/lib/secret.ts';
import { HeldClock } from '../support/held-clock.ts';

const open = (level: LogLevel = 'info') => {
  const texts: string[] = [];
  const sink = {
    writableLength: 0,
    write: (text: string) => {
      texts.push(text);
    },
  };
  const log = new JsonLog({ sink, clock: new HeldClock(), level });
  const lines = (): Record<string, unknown>[] => {
    log.flush();
    const all = texts.join('').split('\n').slice(0, -1);
    return all.map((line) => JSON.parse(line) as Record<string, unknown>);
  };
  return { log, lines, texts, sink };
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
    const { log, lines, texts, sink } = open();
    sink.writableLength = 2 * MIB;
    const long = 'x'.repeat(1000);
    for (let count = 0; count < 10_000; count++) log.info(long);
    log.warn('still said');
    expect(texts).toEqual([]);
    expect(log.dropped).toBeGreaterThan(1000);
    sink.writableLength = 0;
    const all = lines();
    expect(all.length).toBeLessThan(6000);
    expect(all.at(-1)).toMatchObject({ message: 'log lines were dropped', count: log.dropped });
    expect(all.some(({ message }) => message === 'still said')).toBe(true);
  });

  it('takes a bounded amount of memory from whoever writes errors that nobody reads', () => {
    const { log, lines, sink } = open();
    sink.writableLength = 2 * MIB;
    for (let count = 0; count < 20_000; count++) log.error('x'.repeat(1000));
    sink.writableLength = 0;
    expect(lines().length).toBeLessThan(9000);
    expect(log.dropped).toBeGreaterThan(10_000);
  });

  it('ends when every line was read, and waits no longer than it is told for a reader who has stopped', async () => {
    const { log, texts, sink } = open();
    log.info('last');
    await log.end(0);
    expect(texts.join('')).toContain('last');
    sink.writableLength = 1;
    const ended = log.end(60_000);
    sink.writableLength = 0;
    await ended;
    expect(sink.writableLength).toBe(0);
  });
});

const MIB = 1024 * 1024;
