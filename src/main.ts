import { addApplianceCommands } from './cli/appliance.ts';
import { buildProgram, runProgram } from './cli/program.ts';

// A reader that has seen enough, such as `head`, is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});
process.exitCode = await runProgram(buildProgram(addApplianceCommands), process.argv.slice(2));
