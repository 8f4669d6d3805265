import type { KeyCustodian } from './custodian.ts';
import { FILE_CUSTODIAN, FileCustodian, type FileCustodianConfig } from './file/file-custodian.ts';
import { PKCS11_CUSTODIAN, Pkcs11Custodian, type Pkcs11Given } from './pkcs11/pkcs11-custodian.ts';

/** What custodians are opened with. */
export interface CustodianConfig extends FileCustodianConfig {
  /** The token that holds keys; null: there is none. */
  readonly pkcs11: Pkcs11Given | null;
}

/** How one kind of custodian is opened. */
export interface CustodianRow {
  /** null when nothing of its kind is configured. */
  readonly open: (config: CustodianConfig) => KeyCustodian | null;
}

/** Every kind of custodian, by the name stored with its keys. Adding one is a folder and a line here. */
export const CUSTODIANS = {
  [FILE_CUSTODIAN]: { open: (config) => new FileCustodian(config) },
  [PKCS11_CUSTODIAN]: {
    open: ({ pkcs11, ...config }) => (pkcs11 === null ? null : new Pkcs11Custodian({ ...config, pkcs11 })),
  },
} as const satisfies Record<string, CustodianRow>;

/** Name of a custodian. */
export type CustodianName = keyof typeof CUSTODIANS;
