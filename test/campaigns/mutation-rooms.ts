/** Files that are broken on purpose, and the tests that have to notice. Patterns below src/ and test/. */
export interface MutationRoom {
  /** Pure rules and formats: what is here decides by itself, and a wrong decision of it is seen by a small test. */
  readonly mutate: readonly string[];
  /** Without those that flip every bit of a file or start a daemon: what they find, a smaller test finds as well. */
  readonly tests: readonly string[];
}

/** The rooms of `npm run test:mutation`, each judged by itself. */
export const MUTATION_ROOMS = {
  access: {
    mutate: [
      'access/{cidr,permit,scopes,demand-security}.ts',
      'access/api-keys/{api-key-text,giving}.ts',
      'access/rate-limits/*.ts',
    ],
    tests: [
      'access/{cidr,demand-security,permit}.test.ts',
      'access/api-keys/{api-key-text,giving}.test.ts',
      'access/rate-limits/counting.test.ts',
    ],
  },
  http: {
    mutate: ['http/{address-ranges,client-address,etag,list,response-signature}.ts'],
    tests: [
      'http/{address-ranges,etag,list,listener,pipeline,response-signature}.test.ts',
      'verify/response.test.ts',
    ],
  },
  issuing: {
    mutate: [
      'issuing/{certificate,checkout-terms,file-meta,jwk,jws,license-file,machine-file,revocation-list}.ts',
      'issuing/{signature-algorithm,signed-key,token,trust-bundle}.ts',
    ],
    tests: ['issuing/{*-encoders,checkout-terms}.test.ts', 'verify/vectors.test.ts'],
  },
  ledger: {
    mutate: [
      'ledger/{address-prefix,checkpoint,entry,export-format,key-chain,merkle,merkle-proof,note,tally,tiles}.ts',
      'ledger/{verify,verify-export,verify-stored}.ts',
    ],
    tests: ['ledger/{entry,export,merkle,note,vectors,verify,verify-stored}.test.ts'],
  },
  licensing: {
    mutate: [
      'licensing/metadata.ts',
      'licensing/licenses/{license-key,license-key-strength,license-states,term}.ts',
      'licensing/machines/{component-matching,heartbeat-rule,seat-limit}.ts',
      'licensing/policies/policy-settings.ts',
      'licensing/validation/{decide,rule-words}.ts',
    ],
    tests: [
      'licensing/metadata.test.ts',
      'licensing/licenses/{license-key,license-states,term}.test.ts',
      'licensing/machines/seat-rules.test.ts',
      'licensing/policies/policy-settings.test.ts',
      'licensing/validation/{decide*,rule-words}.test.ts',
    ],
  },
  verify: {
    mutate: ['verify/*.ts'],
    tests: ['verify/{encodings,judging,response,signatures,vectors}.test.ts', 'lib/strict-json.test.ts'],
  },
} as const satisfies Record<string, MutationRoom>;

/** Name of a room. */
export type MutationRoomName = keyof typeof MUTATION_ROOMS;

/** The names of all rooms. */
export const MUTATION_ROOM_NAMES = Object.keys(MUTATION_ROOMS) as readonly MutationRoomName[]; // the table's own keys

/** The room that the campaign is in: `MUTATION_ROOM` of the environment. @throws Error when there is no such room */
export function chosenRoom(): { readonly name: MutationRoomName } & MutationRoom {
  const asked = process.env['MUTATION_ROOM'];
  const name = MUTATION_ROOM_NAMES.find((one) => one === asked);
  if (name === undefined) throw new Error(`MUTATION_ROOM is one of ${MUTATION_ROOM_NAMES.join(', ')}`);
  return { name, ...MUTATION_ROOMS[name] };
}
