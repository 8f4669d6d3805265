import { parse } from 'smol-toml';
import { Fault } from '../faults.ts';

/** Reads a file that people write, as plain values. @throws Fault CONFIG_INVALID when it is not TOML */
export function readToml(text: string): unknown {
  try {
    return parse(text);
  } catch (cause) {
    throw new Fault('CONFIG_INVALID', 'the file is not written in TOML', { cause });
  }
}
