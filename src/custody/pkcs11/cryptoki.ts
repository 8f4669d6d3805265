/**
 * The numbers of PKCS#11 that we use, once, by their names in the standard. `pkcs11js` has most of them and lacks those of
 * version 3 (EdDSA, Edwards curves); a constant that is missing there is `undefined`, which ends the process in native
 * code. So none is ever taken from it.
 */

/** Object classes and key types (PKCS#11 v3.1 §4.2, §6.3). */
export const CKO = { PUBLIC_KEY: 2, PRIVATE_KEY: 3 } as const;
export const CKK = { EC: 0x3, EC_EDWARDS: 0x40 } as const;

/** Attributes (PKCS#11 v3.1 §4). */
export const CKA = {
  CLASS: 0x0,
  TOKEN: 0x1,
  PRIVATE: 0x2,
  LABEL: 0x3,
  KEY_TYPE: 0x100,
  ID: 0x102,
  SENSITIVE: 0x103,
  ENCRYPT: 0x104,
  DECRYPT: 0x105,
  WRAP: 0x106,
  UNWRAP: 0x107,
  SIGN: 0x108,
  SIGN_RECOVER: 0x109,
  VERIFY: 0x10a,
  DERIVE: 0x10c,
  EXTRACTABLE: 0x162,
  LOCAL: 0x163,
  NEVER_EXTRACTABLE: 0x164,
  ALWAYS_SENSITIVE: 0x165,
  MODIFIABLE: 0x170,
  EC_PARAMS: 0x180,
  EC_POINT: 0x181,
  ALLOWED_MECHANISMS: 0x40000600,
} as const;

/** Mechanisms: EC §6.3.3, §6.3.12; Edwards §6.3.4, §6.3.15. */
export const CKM = {
  EC_KEY_PAIR_GEN: 0x1040,
  ECDSA: 0x1041,
  EC_EDWARDS_KEY_PAIR_GEN: 0x1055,
  EDDSA: 0x1057,
} as const;

/** Flags of initialisation, sessions, slots and tokens (§5.4, §3.2, §3.3). */
export const CKF = {
  OS_LOCKING_OK: 0x2,
  RW_SESSION: 0x2,
  SERIAL_SESSION: 0x4,
  USER_PIN_INITIALIZED: 0x8,
  TOKEN_INITIALIZED: 0x400,
  USER_PIN_COUNT_LOW: 0x10000,
  USER_PIN_FINAL_TRY: 0x20000,
  USER_PIN_LOCKED: 0x40000,
} as const;

/** The user who may use private keys (§3.5). */
export const CKU_USER = 1;

/**
 * What a result asks of us. `caller`: the request was wrong. `policy`: the token does not allow it. `session`: a fresh
 * session may do. `context`: the key or the login is gone; look again. `backend`: the device or its driver failed. `pin`:
 * never again by itself. `setup`: something an operator has to put right, before the token is even asked. `absent`: the
 * key is not there. `wrong`: what was answered is not true.
 */
export type ErrorClass =
  'caller' | 'policy' | 'session' | 'context' | 'backend' | 'pin' | 'setup' | 'absent' | 'wrong';

/** Results by number, with the class of each (§5.1). What is not here is `backend`. */
const RESULTS: Readonly<Record<number, readonly [name: string, of: ErrorClass]>> = {
  0x07: ['CKR_ARGUMENTS_BAD', 'caller'],
  0x10: ['CKR_ATTRIBUTE_READ_ONLY', 'policy'],
  0x11: ['CKR_ATTRIBUTE_SENSITIVE', 'policy'],
  0x12: ['CKR_ATTRIBUTE_TYPE_INVALID', 'caller'],
  0x13: ['CKR_ATTRIBUTE_VALUE_INVALID', 'caller'],
  0x1b: ['CKR_ACTION_PROHIBITED', 'policy'],
  0x20: ['CKR_DATA_INVALID', 'caller'],
  0x21: ['CKR_DATA_LEN_RANGE', 'caller'],
  0x60: ['CKR_KEY_HANDLE_INVALID', 'context'],
  0x63: ['CKR_KEY_TYPE_INCONSISTENT', 'policy'],
  0x68: ['CKR_KEY_FUNCTION_NOT_PERMITTED', 'policy'],
  0x6a: ['CKR_KEY_UNEXTRACTABLE', 'policy'],
  0x70: ['CKR_MECHANISM_INVALID', 'policy'],
  0x71: ['CKR_MECHANISM_PARAM_INVALID', 'caller'],
  0x82: ['CKR_OBJECT_HANDLE_INVALID', 'context'],
  0x90: ['CKR_OPERATION_ACTIVE', 'session'],
  0x91: ['CKR_OPERATION_NOT_INITIALIZED', 'session'],
  0xa0: ['CKR_PIN_INCORRECT', 'pin'],
  0xa1: ['CKR_PIN_INVALID', 'pin'],
  0xa2: ['CKR_PIN_LEN_RANGE', 'pin'],
  0xa3: ['CKR_PIN_EXPIRED', 'pin'],
  0xa4: ['CKR_PIN_LOCKED', 'pin'],
  0xb0: ['CKR_SESSION_CLOSED', 'session'],
  0xb1: ['CKR_SESSION_COUNT', 'session'],
  0xb3: ['CKR_SESSION_HANDLE_INVALID', 'session'],
  0xb5: ['CKR_SESSION_READ_ONLY', 'session'],
  0xd0: ['CKR_TEMPLATE_INCOMPLETE', 'caller'],
  0xd1: ['CKR_TEMPLATE_INCONSISTENT', 'caller'],
  0x101: ['CKR_USER_NOT_LOGGED_IN', 'context'],
  0x102: ['CKR_USER_PIN_NOT_INITIALIZED', 'pin'],
  0x130: ['CKR_DOMAIN_PARAMS_INVALID', 'caller'],
  0x140: ['CKR_CURVE_NOT_SUPPORTED', 'caller'],
  0x150: ['CKR_BUFFER_TOO_SMALL', 'caller'],
  0x05: ['CKR_GENERAL_ERROR', 'backend'],
  0x06: ['CKR_FUNCTION_FAILED', 'backend'],
  0x30: ['CKR_DEVICE_ERROR', 'backend'],
  0x32: ['CKR_DEVICE_REMOVED', 'backend'],
  0xe0: ['CKR_TOKEN_NOT_PRESENT', 'backend'],
  0xe1: ['CKR_TOKEN_NOT_RECOGNIZED', 'backend'],
  0x190: ['CKR_CRYPTOKI_NOT_INITIALIZED', 'backend'],
};

/** Why a token did not do what it was asked. */
export class TokenError extends Error {
  override readonly name = 'TokenError';
  readonly of: ErrorClass;
  /** `CKR_…`, or a word of ours. */
  readonly code: string;

  constructor(of: ErrorClass, code: string, detail: string) {
    super(detail);
    this.of = of;
    this.code = code;
  }
}

/** The error of a result that a module returned from `call`. */
export function resultError(call: string, result: number): TokenError {
  const [code, of] = RESULTS[result] ?? [`CKR 0x${result.toString(16)}`, 'backend' as const];
  return new TokenError(of, code, `${call} answered ${code}`);
}
