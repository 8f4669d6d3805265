import {
  type AnswerRooms,
  Answers,
  authorise,
  type Demand,
  identify,
  type Permit,
  type Principal,
  refusalRecorder,
} from '../access/index.ts';
import type { Config } from '../config/index.ts';
import { addressRanges } from '../http/address-ranges.ts';
import { type HeaderList, standingHeaders } from '../http/headers.ts';
import type { ServerParts, SwitchableServer } from '../http/server.ts';
import { isWeakGuess } from '../licensing/index.ts';
import { DAY } from '../lib/clock.ts';
import type { Tx } from '../storage/tx.ts';
import type { FeatureDeps } from './features.ts';
import type { Parts } from './parts.ts';
import { allRoutes, metricsRoutes } from './all-routes.ts';
import type { Identity } from './identity.ts';
import type { SealControl } from './seal-routes.ts';

/** A realm has room for so many keys that use all of theirs. */
const REALM_OF_KEYS = 10;
const MIB = 1024 * 1024;

function answerRooms({ limits }: Config): AnswerRooms {
  const principal = { answers: limits.keptAnswers, bytes: limits.keptAnswersMiB * MIB };
  const realm = {
    answers: REALM_OF_KEYS * principal.answers,
    bytes: REALM_OF_KEYS * principal.bytes,
  };
  return { principal, realm };
}

/** On every answer of a development appliance, so that nobody takes it for a real one. */
const DEV_HEADERS = { 'Mintmark-Dev': '1' };

/** What answers requests behind the doors: the appliance, or that it is sealed. */
export type Answering = ServerParts<Principal, Permit, Demand, Tx>;

/** The doors of an appliance: they stay open while what answers behind them is exchanged. */
export type ApplianceDoors = SwitchableServer<Principal, Permit, Demand, Tx>;

/** What the configuration says of the doors, whatever answers behind them. */
export function doorSettings({ http }: Config): Pick<Answering, 'proxies' | 'allowPlain' | 'limits'> {
  return {
    proxies: addressRanges(http.trustedProxies),
    allowPlain: addressRanges(http.allowPlain),
    limits: { total: http.maxConnections, perAddress: http.maxConnectionsPerAddress },
  };
}

/** The headers of every answer. */
export function headersOf(identity: Pick<Identity, 'dev'>): HeaderList {
  return standingHeaders(identity.dev ? DEV_HEADERS : {});
}

/** Puts together how requests are answered: who is who, who may what, where answers and refusals go. */
export function answering(parts: Parts, deps: FeatureDeps, control: SealControl): Answering {
  const { config, log, metrics, clock, random, work, custody, realms, time, checkpointer } = parts;
  const { sealer, indexer } = custody;
  const identifyDeps = {
    read: work.read,
    indexer,
    time,
    realms,
    failures: deps.failures,
    proven: deps.proven,
    maxKeyAgeMs: config.apiKeys.maxAgeDays === null ? null : config.apiKeys.maxAgeDays * DAY,
    licenseKeys: deps.licenseKeys,
    isWeakGuess,
    used: (use: Parameters<typeof deps.keyUsage.note>[0]) => {
      deps.keyUsage.note(use);
    },
  };
  return {
    routes: allRoutes(parts, deps, control),
    metricsRoutes: metricsRoutes(parts),
    identify: (presented) => identify(identifyDeps, presented),
    authorise,
    refused: refusalRecorder(parts.refusals),
    used: (use) => {
      deps.usageLog.note(use);
    },
    requestLimits: deps.requestLimits,
    overload: deps.overload,
    beforeAnswer: (requestId) => checkpointer.beforeAnswer(requestId),
    answers: new Answers({ work, sealer, indexer, time, rooms: answerRooms(config) }),
    ...{ log, metrics, clock, random },
    ...doorSettings(config),
    standing: headersOf(parts.identity),
  };
}
