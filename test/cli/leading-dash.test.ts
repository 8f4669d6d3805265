import { describe, expect, it } from 'vitest';
import { addApplianceCommands } from '../../src/cli/appliance.ts';
import { withDashesKept } from '../../src/cli/leading-dash.ts';
import { buildProgram } from '../../src/cli/program.ts';

const EXPORT = ['keys', 'export-public'];
const kept = (...argv: readonly string[]): readonly string[] =>
  withDashesKept(buildProgram(addApplianceCommands), argv);

describe('a command line', () => {
  it.each(['-eG4WiZLTl3UCpKp', '--G4WiZLTl3UCpKp', '-VG4WiZLTl3UCpKp', '-1234567890123_-'])(
    'with the key id %s has it behind `--`, whatever options are around it',
    (kid) => {
      expect(kept(...EXPORT, kid)).toEqual([...EXPORT, '--', kid]);
      const options = ['--format', 'pem', '--json'];
      expect(kept(...EXPORT, kid, ...options)).toEqual([...EXPORT, ...options, '--', kid]);
      expect(kept(...EXPORT, ...options, kid)).toEqual([...EXPORT, ...options, '--', kid]);
      expect(kept('--socket', 'a', ...EXPORT, kid)).toEqual(['--socket', 'a', ...EXPORT, '--', kid]);
      expect(kept(...EXPORT, kid, 'more')).toEqual([...EXPORT, '--', kid, 'more']);
    },
  );

  it.each(['-V34-5678', '--abc', '-1'])('gives the value %s to the option it stands behind', (value) => {
    const show = ['license', 'show', '--license-key'];
    expect(kept(...show, value, '--json')).toEqual(['license', 'show', `--license-key=${value}`, '--json']);
  });

  it.each([
    [[...EXPORT, 'aG4WiZLTl3UCpKpw', '--format', 'pem']],
    [[...EXPORT, '--', '-eG4WiZLTl3UCpKp']],
    [[...EXPORT, '--formt', 'pem', '-eG4']],
    [['license', 'show', '-eG4WiZLTl3UCpKp']],
    [['license', 'show', '--license-key', '--json']],
    [['license', 'show', '--license-key', '-V']],
    [['license', 'list', '--where', '-a=b', '-c=d']],
    [['license', 'create', '--', '--name', '-V1']],
    [['--set', 'http.port=0', 'serve']],
    [['license', 'list', '--name']],
    [[]],
  ])('is left as it was typed otherwise: %j', (argv) => {
    expect(kept(...argv)).toEqual(argv);
  });
});
