import { describe, expect, it } from 'vitest';
import { Metrics } from '../../src/http/metrics.ts';

describe('metrics', () => {
  it('are written in the text format', () => {
    const metrics = new Metrics();
    const counter = metrics.counter('things_total', 'Things.');
    counter({ kind: 'a"b\\c\nd' }).add();
    counter({ kind: 'a"b\\c\nd' }).add(2);
    counter().add();
    metrics.gauge('open', 'Open.', () => [{ value: 3 }, { labels: { at: 'x' }, value: 0.5 }]);
    const seconds = metrics.histogram('took_seconds', 'Time.', [0.1, 1]);
    for (const value of [0.05, 0.1, 0.5, 5]) seconds({ class: 'x' }).observe(value);
    expect(metrics.render()).toBe(
      [
        '# HELP things_total Things.',
        '# TYPE things_total counter',
        'things_total{kind="a\\"b\\\\c\\nd"} 3',
        'things_total 1',
        '# HELP open Open.',
        '# TYPE open gauge',
        'open 3',
        'open{at="x"} 0.5',
        '# HELP took_seconds Time.',
        '# TYPE took_seconds histogram',
        'took_seconds_bucket{class="x",le="0.1"} 2',
        'took_seconds_bucket{class="x",le="1"} 3',
        'took_seconds_bucket{class="x",le="+Inf"} 4',
        'took_seconds_sum{class="x"} 5.65',
        'took_seconds_count{class="x"} 4',
        '',
      ].join('\n'),
    );
  });

  it('refuse a second metric of a name, and labels that grow with use', () => {
    const metrics = new Metrics();
    const counter = metrics.counter('things_total', 'Things.');
    expect(() => metrics.counter('things_total', 'Again.')).toThrow('things_total');
    expect(() => {
      for (let count = 0; count < 2000; count++) counter({ id: String(count) });
    }).toThrow('at most');
  });
});
