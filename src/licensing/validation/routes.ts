import type { Demand, Permit } from '../../access/index.ts';
import { oneAnswer } from '../../http/list.ts';
import { type Route, routeOf } from '../../http/route.ts';
import { idParams } from '../schema.ts';
import { validateKey, type ValidateKeyDeps } from './validate-key.ts';
import { validateLicense } from './validate.ts';
import { keyValidationInput, validationAnswer, validationInput } from './validation-schema.ts';

const route = routeOf<Permit, Demand>();

/** Validation by key and by id. Always 200 when well-formed; neither honours `Idempotency-Key`. */
export function validationRoutes(deps: ValidateKeyDeps): Route<Permit, Demand>[] {
  return [
    route({
      method: 'POST',
      path: '/api/v1/licenses/validate-key',
      summary: 'Validate a licence by its key',
      tag: 'validation',
      demand: { scope: 'licenses:validate', also: ['anonymous', 'publishable-key', 'license'] },
      body: keyValidationInput,
      answers: { 200: oneAnswer(validationAnswer) },
      handle: async ({ permit, body, address }) => ({
        status: 200,
        body: { data: await validateKey(deps, permit, { input: body, address }) },
      }),
    }),
    route({
      method: 'POST',
      path: '/api/v1/licenses/{id}/validate',
      summary: 'Validate a licence by its id',
      tag: 'validation',
      demand: { scope: 'licenses:validate', also: [] },
      params: idParams,
      body: validationInput,
      answers: { 200: oneAnswer(validationAnswer) },
      handle: async ({ permit, params, body }) => ({
        status: 200,
        body: { data: await validateLicense(deps, permit, { id: params.id, input: body }) },
      }),
    }),
  ];
}
