import { Fault } from '../../faults.ts';
import { type Pkcs11Uri, parsePkcs11Uri, pkcs11Uri } from './pkcs11-uri.ts';
import type { TokenSettings } from './signer.ts';

/** A token as an operator names it. */
export interface TokenNamed {
  /** Whole path of the module; it may stand in the URI instead. */
  readonly module: string | null;
  /** What the module is initialised with, `name='value' …`; null: nothing. */
  readonly parameters: string | null;
  /** PKCS#11 URI (RFC 7512), or just the label of the token. */
  readonly token: string | null;
  /** File of the PIN; it may stand in the URI instead. */
  readonly pinSource: string | null;
  /** A second token that holds copies of the keys, behind the same module: URI with its serial, and the file of its PIN. */
  readonly copyToken: string | null;
  readonly copyPinSource: string | null;
  /** `NAME=value`. */
  readonly environment: readonly string[];
}

/** What NSS takes, the one module we know that is told at its start where its tokens are. */
const PARAMETERS =
  /^(?:(?:configdir|certPrefix|keyPrefix|secmod|flags)='[\x20-\x26\x28-\x7e]*'(?: (?!$)|$))+$/;
/** A token, and a second one that holds copies of its keys. */
export interface TokensSettings extends TokenSettings {
  readonly copy?: Pick<TokenSettings, 'token' | 'pinSource'> | undefined;
}

/** These would change our own program, not the module. */
const OURS = /^(?:NODE_|MINTMARK_)/;
const VARIABLE = /^([A-Z_][A-Z0-9_]{0,63})=(.*)$/s;

/**
 * What a signer needs of what an operator wrote; undefined when he wrote nothing: there is no token.
 * @throws Fault CONFIG_INVALID when a part is missing, said twice, or no part of a token's name
 */
export function tokenSettings(named: TokenNamed): TokensSettings | undefined {
  const { module, token, pinSource } = named;
  if (module === null && token === null && pinSource === null) return undefined;
  if (token === null) throw missing('pkcs11.token', 'which token');
  const uri = token.startsWith('pkcs11:') ? parsePkcs11Uri(token) : { token };
  demandTokenOnly(uri);
  const { 'module-path': modulePath, 'pin-source': pin, ...path } = uri;
  return {
    module:
      only('pkcs11.module', module, modulePath) ?? fail('pkcs11.module', 'the file of the vendor’s module'),
    parameters: parametersOf(named.parameters),
    token: pkcs11Uri(path),
    pinSource:
      only('pkcs11.pinSource', pinSource, pathOf(pin)) ??
      fail('pkcs11.pinSource', 'the file that holds its PIN'),
    environment: environmentOf(named.environment),
    copy: copyOf(named),
  };
}

/** Keys are found by what is stored of them; a setting names the token they are in. */
function demandTokenOnly({ object, id, type, token, serial, model, manufacturer }: Pkcs11Uri): void {
  if (object !== undefined || id !== undefined || type !== undefined) {
    throw new Fault('CONFIG_INVALID', 'a token is named, not a key: leave object, id and type out');
  }
  if ((token ?? serial ?? model ?? manufacturer) === undefined) {
    throw new Fault('CONFIG_INVALID', 'the URI says nothing of the token; name it by token and serial');
  }
}

/** Named by its serial, so that the two are never taken for each other. */
function copyOf({ copyToken, copyPinSource }: TokenNamed): TokensSettings['copy'] {
  if (copyToken === null && copyPinSource === null) return undefined;
  if (copyToken === null) throw missing('pkcs11.copyToken', 'which token holds the copies');
  const uri = parsePkcs11Uri(copyToken);
  demandTokenOnly(uri);
  const { 'module-path': module, 'pin-source': pin, ...path } = uri;
  if (module !== undefined || path.serial === undefined) {
    throw new Fault(
      'CONFIG_INVALID',
      'pkcs11.copyToken is a PKCS#11 URI with the serial of a token of pkcs11.module',
    );
  }
  return {
    token: pkcs11Uri(path),
    pinSource:
      only('pkcs11.copyPinSource', copyPinSource, pathOf(pin)) ??
      fail('pkcs11.copyPinSource', 'the file that holds its PIN'),
  };
}

function only(name: string, written: string | null, inUri: string | undefined): string | undefined {
  if (written !== null && inUri !== undefined && written !== inUri) {
    throw new Fault('CONFIG_INVALID', `${name} and the URI in pkcs11.token name different files`);
  }
  return written ?? inUri;
}

/** RFC 7512 §2.3: a file URI or a path; a command behind a bar would be run, and is not. */
function pathOf(pinSource: string | undefined): string | undefined {
  if (pinSource === undefined) return undefined;
  const path = pinSource.replace(/^file:(?:\/\/(?=\/))?/, '');
  if (path.startsWith('/')) return path;
  throw new Fault('CONFIG_INVALID', 'pin-source is a file by its whole path');
}

function environmentOf(lines: readonly string[]): Record<string, string> {
  const pairs = lines.map((line) => {
    const [, name, value] = VARIABLE.exec(line) ?? [];
    if (name !== undefined && value !== undefined && !OURS.test(name)) return [name, value] as const;
    throw new Fault(
      'CONFIG_INVALID',
      'pkcs11.environment holds NAME=value, and no variable of Node or Mintmark',
    );
  });
  return Object.fromEntries(pairs);
}

function parametersOf(text: string | null): string {
  if (text === null || PARAMETERS.test(text)) return text ?? '';
  const names = 'configdir, certPrefix, keyPrefix, secmod and flags';
  throw new Fault(
    'CONFIG_INVALID',
    `pkcs11.parameters holds name='value' with a blank between; names are ${names}`,
  );
}

function fail(name: string, what: string): never {
  throw missing(name, what);
}

function missing(name: string, what: string): Fault {
  return new Fault('CONFIG_INVALID', `${name} is missing: it says ${what}`);
}
