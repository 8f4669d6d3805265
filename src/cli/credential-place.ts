import { existsSync } from 'node:fs';
import { CliError, EXIT } from './exit-code.ts';

/**
 * Refuses a place that cannot take the credential of an appliance, before anything is made or unpacked.
 * @throws CliError when the file exists, or would be in the data directory and thus in every copy of it
 */
export async function demandNewCredential(path: string, dataDirectory: string): Promise<void> {
  if (existsSync(path)) {
    throw new CliError(
      EXIT.usage,
      `${path} exists already: it may open another appliance`,
      'Name a new file with --credential <file>, or remove this one if nothing needs it.',
    );
  }
  const { isInside } = await import('../custody/index.ts');
  if (!isInside(path, dataDirectory)) return;
  throw new CliError(
    EXIT.usage,
    `${path} is inside the data directory ${dataDirectory}: every copy of it would hold its own key`,
    'Name a new file in another directory with --credential <file>.',
  );
}
