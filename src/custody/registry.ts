import type { KeyCustodian } from './custodian.ts';
import { FILE_CUSTODIAN, FileCustodian, type FileCustodianConfig } from './file/file-custodian.ts';

/** How one kind of custodian is opened. */
export interface CustodianRow {
  readonly open: (config: FileCustodianConfig) => KeyCustodian & { lock(): void };
}

/** Every kind of custodian, by the name stored with its keys. Adding one is a folder and a line here. */
export const CUSTODIANS = {
  [FILE_CUSTODIAN]: { open: (config) => new FileCustodian(config) },
} as const satisfies Record<string, CustodianRow>;

/** Name of a custodian. */
export type CustodianName = keyof typeof CUSTODIANS;

/** What keys are made in unless something else is asked for. */
export const DEFAULT_CUSTODIAN: CustodianName = FILE_CUSTODIAN;
