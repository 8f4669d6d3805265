import type { Command, Option } from 'commander';
import { CliError, EXIT } from './exit-code.ts';

/**
 * Takes the check for required options over from the library, which looks for them before it looks at what was typed:
 * `--product prod_01…` was answered with "--product-id is missing", and of two missing options one was named. Returned is the
 * check: to be run when everything that was typed is known to be an option.
 */
export function requiredOptionsOf(program: Command): (command: Command) => void {
  const required = new Map<Command, readonly Option[]>();
  for (const command of leavesOf(program)) {
    const options = command.options.filter(({ mandatory }) => mandatory);
    required.set(command, options);
    for (const option of options) option.makeOptionMandatory(false);
  }
  return (command) => {
    const missing = (required.get(command) ?? []).filter(
      (option) => command.getOptionValue(option.attributeName()) === undefined,
    );
    if (missing.length === 0) return;
    const what = missing.map(({ flags }) => flags).join(', ');
    throw new CliError(EXIT.usage, `missing: ${what}`, 'See --help.');
  };
}

function leavesOf(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leavesOf);
}
