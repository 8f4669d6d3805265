import type { FaultCode } from './faults.ts';

/**
 * What a caller or a job wants to do, as far as the state of the appliance has a say in it. `revoke`: taking something
 * away (keys, licences, tenants), which must go on while a clock is wrong: who controls it must not keep a leaked key alive.
 * `retention`: deleting for good what is old enough, which makes room on a full disk.
 */
export type Activity =
  'read' | 'validate' | 'heartbeat' | 'revoke' | 'create' | 'issue' | 'jobs' | 'retention';

/** In a state an activity goes on (`yes`) or is refused with a fault code; jobs just wait. */
type Rule = 'yes' | 'no' | FaultCode;

const state = (rules: Readonly<Record<Activity, Rule>>): Readonly<Record<Activity, Rule>> => rules;

/**
 * What the appliance still does in each state besides `ready` (operations.md, States). Several can hold at once; the
 * strictest decides per column.
 */
export const STATES = {
  sealed: state({
    read: 'SEALED',
    validate: 'SEALED',
    heartbeat: 'SEALED',
    revoke: 'SEALED',
    create: 'SEALED',
    issue: 'SEALED',
    jobs: 'no',
    retention: 'no',
  }),
  'signer-away': state({
    read: 'yes',
    validate: 'yes',
    heartbeat: 'yes',
    revoke: 'yes',
    create: 'yes',
    issue: 'SIGNER_UNAVAILABLE',
    jobs: 'yes',
    retention: 'yes',
  }),
  'clock-suspect': state({
    read: 'yes',
    validate: 'yes',
    heartbeat: 'yes',
    revoke: 'yes',
    create: 'CLOCK_SUSPECT',
    issue: 'CLOCK_SUSPECT',
    jobs: 'no',
    retention: 'no',
  }),
  'rolled-back': state({
    read: 'yes',
    validate: 'yes',
    heartbeat: 'yes',
    revoke: 'yes',
    create: 'ROLLED_BACK',
    issue: 'ROLLED_BACK',
    jobs: 'no',
    retention: 'no',
  }),
  'clone-suspect': state({
    read: 'yes',
    validate: 'yes',
    heartbeat: 'yes',
    revoke: 'yes',
    create: 'CLONE_SUSPECT',
    issue: 'CLONE_SUSPECT',
    jobs: 'no',
    retention: 'no',
  }),
  'disk-full': state({
    read: 'yes',
    validate: 'yes',
    heartbeat: 'DISK_FULL',
    revoke: 'DISK_FULL',
    create: 'DISK_FULL',
    issue: 'DISK_FULL',
    jobs: 'no',
    retention: 'yes',
  }),
} as const;

/** A state that limits what the appliance does. */
export type LimitingState = keyof typeof STATES;

/** A state that holds, in words for people. */
export interface HeldState {
  readonly state: LimitingState;
  /** Why, in plain words. */
  readonly reason: string;
  /** Milliseconds since the epoch. */
  readonly since: number;
  /** The command or act that ends it. */
  readonly leftBy: string;
}

/** The fault an activity meets in the states that hold, or null when it may go on. */
export function refusalIn(held: readonly HeldState[], activity: Activity): FaultCode | null {
  for (const { state: name } of held) {
    const rule = STATES[name][activity];
    if (rule !== 'yes') return rule === 'no' ? 'OVERLOADED' : rule;
  }
  return null;
}
