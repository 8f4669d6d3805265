import { addApplianceCommands } from './cli/appliance.ts';
import { buildProgram, runProgram } from './cli/program.ts';

process.exitCode = await runProgram(buildProgram(addApplianceCommands), process.argv.slice(2));
