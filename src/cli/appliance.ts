import type { AddCommands } from './program.ts';
import { addAcceptances } from './accept.ts';
import { addAudit } from './audit.ts';
import { addBackup } from './backup.ts';
import { addDoctor } from './doctor.ts';
import { addDev } from './dev.ts';
import { addHsm } from './hsm.ts';
import { addInit } from './init.ts';
import { addKeys } from './keys.ts';
import { addRevocations } from './revocations.ts';
import { addRekey } from './rekey.ts';
import { addSeal } from './seal.ts';
import { addServe } from './serve.ts';
import { addStatus } from './status.ts';

/** Adds the commands that make, run and look after an appliance. */
export const addApplianceCommands: AddCommands = (program, outputOf, withClient) => {
  addInit(program, outputOf);
  addServe(program, outputOf);
  addDev(program, outputOf);
  addStatus(program, withClient);
  addSeal(program, withClient);
  addDoctor(program, outputOf, withClient);
  addRekey(program, withClient);
  addKeys(program, withClient);
  addRevocations(program, withClient);
  addHsm(program, { outputOf, withClient });
  addAudit(program, outputOf, withClient);
  addBackup(program, outputOf, withClient);
  addAcceptances(program, outputOf);
};
