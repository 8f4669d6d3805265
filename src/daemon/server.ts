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
import { standingHeaders } from '../http/headers.ts';
import { createServer, type HttpServer } from '../http/server.ts';
import { isWeakGuess } from '../licensing/index.ts';
import { DAY } from '../lib/clock.ts';
import type { Tx } from '../storage/tx.ts';
import type { FeatureDeps } from './features.ts';
import type { Parts } from './parts.ts';
import { allRoutes, metricsRoutes } from './all-routes.ts';

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

/** Puts the HTTP server together: who is who, who may what, where answers and refusals go. Nothing listens yet. */
export function buildServer(parts: Parts, deps: FeatureDeps): HttpServer {
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
  return createServer<Principal, Permit, Demand, Tx>({
    routes: allRoutes(parts, deps),
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
    proxies: addressRanges(config.http.trustedProxies),
    allowPlain: addressRanges(config.http.allowPlain),
    limits: { total: config.http.maxConnections, perAddress: config.http.maxConnectionsPerAddress },
    standing: standingHeaders(parts.identity.dev ? DEV_HEADERS : {}),
  });
}
