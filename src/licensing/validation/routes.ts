import type { Demand, Permit } from '../../access/index.ts';
import { oneAnswer } from '../../http/list.ts';
import { type Answer, type Route, routeOf } from '../../http/route.ts';
import { idParams } from '../schema.ts';
import { explainLicense } from './explain.ts';
import { explanationAnswer, explanationInput } from './explanation-schema.ts';
import { responseKeyFor, type ResponseKeyDeps } from './response-key.ts';
import { validateKey, type ValidateKeyDeps } from './validate-key.ts';
import { validateLicense } from './validate.ts';
import {
  keyValidationInput,
  validationAnswer,
  type ValidationInput,
  validationInput,
} from './validation-schema.ts';
import type { ValidationView } from './validation-view.ts';

const route = routeOf<Permit, Demand>();

/** What the routes of validation need. */
export interface ValidationRoutesDeps extends ValidateKeyDeps, Omit<ResponseKeyDeps, 'work'> {
  /** Whether the clock of the appliance is in doubt: answers say so, signed or not. */
  readonly clockSuspect: () => boolean;
}

/**
 * Validation by key and by id. Always 200 when well-formed; neither honours `Idempotency-Key`. With a nonce the answer is
 * signed, whatever it is.
 */
export function validationRoutes(deps: ValidationRoutesDeps): Route<Permit, Demand>[] {
  const signing = signingOf(deps);
  const answer = (view: ValidationView, { nonce }: Pick<ValidationInput, 'nonce'>): Answer => ({
    status: 200,
    body: { data: { ...view, nonce: nonce ?? null, clockSuspect: deps.clockSuspect() } },
  });
  return [
    route({
      method: 'POST',
      path: '/api/v1/licenses/validate-key',
      summary: 'Validate a licence by its key',
      tag: 'validation',
      demand: { scope: 'licenses:validate', also: ['anonymous', 'publishable-key', 'license'] },
      limit: { class: 'validate', license: 'body.key', machine: 'body.fingerprint' },
      body: keyValidationInput,
      answers: { 200: oneAnswer(validationAnswer) },
      signing,
      handle: async ({ permit, body, address }) =>
        answer(await validateKey(deps, permit, { input: body, address }), body),
    }),
    route({
      method: 'POST',
      path: '/api/v1/licenses/{id}/validate',
      summary: 'Validate a licence by its id',
      tag: 'validation',
      demand: { scope: 'licenses:validate', also: [] },
      limit: { class: 'validate', license: 'params.id', machine: 'body.fingerprint' },
      params: idParams,
      body: validationInput,
      answers: { 200: oneAnswer(validationAnswer) },
      signing,
      handle: async ({ permit, params, body }) =>
        answer(await validateLicense(deps, permit, { id: params.id, input: body }), body),
    }),
    explanationRoute(deps),
  ];
}

function explanationRoute(deps: ValidateKeyDeps): Route<Permit, Demand> {
  return route({
    method: 'POST',
    path: '/api/v1/licenses/{id}/explain',
    summary: 'Say what a validation would answer and which rule decides; nothing is counted',
    tag: 'validation',
    demand: { scope: 'licenses:read', also: [] },
    params: idParams,
    body: explanationInput,
    answers: { 200: oneAnswer(explanationAnswer) },
    handle: ({ permit, params, body }) => ({
      status: 200,
      body: { data: explainLicense(deps, permit, { id: params.id, input: body }) },
    }),
  });
}

function signingOf(deps: ResponseKeyDeps): NonNullable<Route<Permit, Demand>['signing']> {
  return {
    keyFor: (permit, body) => responseKeyFor(deps, permit, body),
    sign: (kid, base) => deps.keyring.sign(kid, base),
    now: () => deps.time.now(),
  };
}
