import type { TokenInfo } from 'pkcs11js';
import { parsePkcs11Uri, type Pkcs11Uri, pkcs11Uri } from './pkcs11-uri.ts';

/** A token as its module describes it. */
export interface TokenSeen {
  readonly uri: Pkcs11Uri;
  /** The URI as text: it goes into the configuration as it is. */
  readonly text: string;
  /** CKF_… */
  readonly flags: number;
  readonly mechanisms: readonly number[];
}

/** A token in one line: `<PKCS#11 URI> <flags> <mechanisms, with commas>`. Names in a URI hold neither blank nor line end. */
export function tokenLine(info: TokenInfo, mechanisms: readonly number[]): string {
  const named = {
    token: info.label,
    serial: info.serialNumber,
    manufacturer: info.manufacturerID,
    model: info.model,
  };
  const said = Object.entries(named)
    .map(([name, value]) => [name, value.replaceAll(/\p{Cc}/gu, '').trimEnd()] as const)
    .filter(([, value]) => value !== '');
  return [pkcs11Uri(Object.fromEntries(said)), info.flags, mechanisms.join(',')].join(' ');
}

/** Reads such a line. @throws Fault CONFIG_INVALID when it is none */
export function readTokenLine(line: string): TokenSeen {
  const [text = '', flags, mechanisms = ''] = line.split(' ');
  const numbers = mechanisms === '' ? [] : mechanisms.split(',').map(Number);
  return { uri: parsePkcs11Uri(text), text, flags: Number(flags), mechanisms: numbers };
}
