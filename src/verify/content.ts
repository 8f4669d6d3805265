import type { CertificateKind } from './certificate.ts';
import { demandForm } from './refusal.ts';
import {
  asObject,
  choiceAt,
  countAt,
  flagAt,
  objectAt,
  objectsAt,
  optionalAt,
  stringAt,
  timeAt,
} from './shape.ts';
import { readJson, type JsonObject } from './strict-json.ts';
import type { Environment } from './trust.ts';

/** What the licensor advises an application to do with a verdict that is not valid. */
export type Enforcement = 'BLOCK' | 'DEGRADE' | 'LOG_ONLY';

/** The licence in a file. */
export interface LicenseContent {
  readonly id: string;
  readonly name: string | undefined;
  readonly status: string;
  /** When the licence itself ends, in milliseconds; undefined = perpetual. */
  readonly expiresAtMs: number | undefined;
  readonly productId: string;
  readonly metadata: JsonObject;
}

/** The machine in a machine file. */
export interface MachineContent {
  readonly id: string;
  readonly fingerprint: string;
  readonly name: string | undefined;
  readonly metadata: JsonObject;
}

/** An entitlement in a file. */
export interface EntitlementContent {
  readonly id: string;
  readonly code: string;
  readonly metadata: JsonObject;
}

/** What is said about the file itself. */
export interface MetaContent {
  readonly kid: string;
  readonly fileId: string;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  readonly epoch: number;
  readonly tenant: string;
  readonly environment: Environment;
  readonly issuer: string;
  readonly product: string;
  readonly crlMaxAgeDays: number | undefined;
  readonly enforcement: Enforcement;
  readonly graceDays: number;
  readonly bindingMode: 'exact' | 'k-of-n' | undefined;
  readonly dev: boolean;
}

/** A signed file, read. */
export interface FileContent {
  readonly license: LicenseContent;
  /** Present in machine files alone. */
  readonly machine: MachineContent | undefined;
  readonly entitlements: readonly EntitlementContent[];
  readonly meta: MetaContent;
  /** The whole signed document, for everything that has no field here. */
  readonly dataset: JsonObject;
}

const TYPES = { license: 'licenses', machine: 'machines' } as const;
const ENFORCEMENTS = ['BLOCK', 'DEGRADE', 'LOG_ONLY'] as const;
const ENVIRONMENTS = ['live', 'test'] as const;
const BINDING_MODES = ['exact', 'k-of-n'] as const;

/** Reads the signed document of a file. @throws Refusal MALFORMED */
export function readContent(json: string, kind: CertificateKind): FileContent {
  const dataset = asObject(readJson(json), 'document');
  const data = objectAt(dataset, 'data');
  demandForm(stringAt(data, 'type') === TYPES[kind], 'the content is not of the kind the armour says');
  const included = objectsAt(dataset, 'included');
  return {
    license: readLicense(kind === 'license' ? data : licenseOf(data, included)),
    machine: kind === 'machine' ? readMachine(data) : undefined,
    entitlements: ofType(included, 'entitlements').map(readEntitlement),
    meta: readMeta(objectAt(dataset, 'meta')),
    dataset,
  };
}

function ofType(included: readonly JsonObject[], type: string): readonly JsonObject[] {
  return included.filter((item) => stringAt(item, 'type') === type);
}

/** The one licence a machine file includes, which must be the one the machine belongs to. */
function licenseOf(machine: JsonObject, included: readonly JsonObject[]): JsonObject {
  const [license, ...more] = ofType(included, 'licenses');
  demandForm(license !== undefined && more.length === 0, 'a machine file includes exactly one licence');
  const belongs = relatedId(machine, 'license') === stringAt(license, 'id');
  demandForm(belongs, 'the included licence is not the one of the machine');
  return license;
}

function relatedId(resource: JsonObject, name: string): string {
  return stringAt(objectAt(objectAt(objectAt(resource, 'relationships'), name), 'data'), 'id');
}

function readLicense(resource: JsonObject): LicenseContent {
  const attributes = objectAt(resource, 'attributes');
  return {
    id: stringAt(resource, 'id'),
    name: optionalAt(attributes, 'name', stringAt),
    status: stringAt(attributes, 'status'),
    expiresAtMs: optionalAt(attributes, 'expiry', timeAt),
    productId: relatedId(resource, 'product'),
    metadata: objectAt(attributes, 'metadata'),
  };
}

function readMachine(resource: JsonObject): MachineContent {
  const attributes = objectAt(resource, 'attributes');
  return {
    id: stringAt(resource, 'id'),
    fingerprint: stringAt(attributes, 'fingerprint'),
    name: optionalAt(attributes, 'name', stringAt),
    metadata: objectAt(attributes, 'metadata'),
  };
}

function readEntitlement(resource: JsonObject): EntitlementContent {
  const attributes = objectAt(resource, 'attributes');
  return {
    id: stringAt(resource, 'id'),
    code: stringAt(attributes, 'code'),
    metadata: objectAt(attributes, 'metadata'),
  };
}

function readMeta(meta: JsonObject): MetaContent {
  demandForm(countAt(meta, 'v') === 1, 'the file is of an unknown version');
  const binding = optionalAt(meta, 'binding', objectAt);
  return {
    kid: stringAt(meta, 'kid'),
    fileId: stringAt(meta, 'jti'),
    issuedAtMs: timeAt(meta, 'issued'),
    expiresAtMs: timeAt(meta, 'expiry'),
    epoch: countAt(meta, 'epoch'),
    tenant: stringAt(meta, 'tenant'),
    environment: choiceAt(meta, 'env', ENVIRONMENTS),
    issuer: stringAt(meta, 'iss'),
    product: stringAt(meta, 'product'),
    crlMaxAgeDays: optionalAt(meta, 'crlMaxAgeDays', countAt),
    enforcement: choiceAt(meta, 'enforcement', ENFORCEMENTS),
    graceDays: countAt(meta, 'grace'),
    bindingMode: binding && choiceAt(binding, 'mode', BINDING_MODES),
    dev: flagAt(meta, 'dev'),
  };
}
