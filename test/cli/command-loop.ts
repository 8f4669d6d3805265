/**
 * Runs commands one after the other in one process, each with a program of its own: starting Node for each of a hundred
 * commands takes minutes. Reads one JSON array of arguments a line; after each command a line with its exit code and the
 * end mark follows on both streams.
 */
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { addApplianceCommands } from '../../src/cli/appliance.ts';
import { buildProgram, runProgram } from '../../src/cli/program.ts';

const END = '<<end of command>>';

for await (const line of createInterface({ input: process.stdin })) {
  const args = JSON.parse(line) as string[]; // the story writes nothing else
  const code = await runProgram(buildProgram(addApplianceCommands), args);
  for (const stream of [1, 2]) writeSync(stream, `${String(code)} ${END}\n`);
}
