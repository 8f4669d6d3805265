import { describe, expect, it } from 'vitest';
import { vectorFiles } from '../../scripts/vectors/vector-files.ts';
import { VERDICT_CODES } from '../../src/verify/index.ts';
import {
  publishedCases,
  publishedResponses,
  publishedSequences,
  readVector,
  runCase,
  runSequence,
} from './run-vectors.ts';

describe('the published vectors', () => {
  it.each(publishedCases.map((vector) => [`${vector.kind}: ${vector.name}`, vector] as const))(
    '%s',
    (_name, vector) => {
      const { valid, code, message } = runCase(vector);
      expect({ valid, code, message }).toEqual({
        valid: vector.valid,
        code: vector.code,
        message: expect.stringMatching(/^[^A-Z]/) as string,
      });
    },
  );

  it.each(publishedSequences.map((sequence) => [`${sequence.kind}: ${sequence.name}`, sequence] as const))(
    '%s',
    (_name, sequence) => {
      expect(runSequence(sequence)).toEqual(sequence.codes);
    },
  );

  it('show every code there is', () => {
    const shown = new Set([
      ...publishedCases.map(({ code }) => code),
      ...publishedSequences.flatMap(({ codes }) => codes),
      ...publishedResponses.map(({ code }) => code),
    ]);
    expect(VERDICT_CODES.filter((code) => !shown.has(code))).toEqual([]);
  });

  it('are what the generator writes', () => {
    for (const [name, text] of vectorFiles()) expect([name, text]).toEqual([name, readVector(name)]);
  });
});
