import {
  armoured,
  certificateOf,
  datasetOf,
  encWithShortTag,
  fileOf,
  framed,
  membersOf,
  plainFile,
  signedFile,
  withLargerS,
} from './forge.ts';
import { KEYS, PROTECTION, sampleLicenseFile, sampleMachineFile } from './samples.ts';
import { publicKeyHex } from './signers.ts';
import { licenseFileCases, machineFileCases, type VectorCase } from './vector-case.ts';

const file = sampleLicenseFile();
const members = membersOf(file);
const plain = sampleLicenseFile({ protection: PROTECTION.plain });
const dataset = datasetOf(plain);
const license = { kind: 'license' } as const;

/** Armour, base64 and the certificate: steps 1 and 2 of the verifier. */
function wrapping(): VectorCase[] {
  const base64 = file.split('\n').slice(1, -2).join('');
  return licenseFileCases([
    ['refuses line ends that were changed', file.replaceAll('\n', '\r\n'), 'MALFORMED'],
    ['refuses a file without its last line end', file.slice(0, -1), 'MALFORMED'],
    ['refuses anything after the armour', `${file}\n`, 'MALFORMED'],
    ['refuses anything before the armour', ` ${file}`, 'MALFORMED'],
    ['refuses two files in one', file + file, 'MALFORMED'],
    ['refuses lines of another length', framed('license', base64, 64), 'MALFORMED'],
    ['refuses white space in the base64', file.replace('\n', '\n '), 'MALFORMED'],
    ['refuses an empty file', '', 'MALFORMED'],
    ['refuses the armour of a machine file', file.replaceAll('LICENSE', 'MACHINE'), 'MALFORMED'],
    ['refuses characters that are not ASCII', file.replace('\n', '\nü'), 'MALFORMED'],
    ['refuses stray bits in the base64', strayBits(base64), 'MALFORMED'],
  ]);
}

/** The same bytes with an unused bit set, in a certificate long enough to have one. */
function strayBits(base64: string): string {
  const last = base64.replace(/=+$/, '').slice(-1);
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const other = alphabet.charAt(alphabet.indexOf(last) + 1);
  return framed('license', base64.replace(/.(=+)$/, `${other}$1`));
}

function certificates(): VectorCase[] {
  const text = certificateOf(file);
  const { enc, sig, alg, kid } = members;
  return licenseFileCases([
    ['refuses a certificate without its key name', fileOf('license', { enc, sig, alg }), 'MALFORMED'],
    ['refuses a certificate without a signature', fileOf('license', { enc, alg, kid }), 'MALFORMED'],
    ['refuses members in another order', fileOf('license', { sig, enc, alg, kid }), 'MALFORMED'],
    ['refuses a member it does not know', fileOf('license', { ...members, note: 'x' }), 'MALFORMED'],
    ['refuses a member that stands twice', armoured('license', `{"alg":"x",${text.slice(1)}`), 'MALFORMED'],
    ['refuses white space in the certificate', armoured('license', text.replace(',', ', ')), 'MALFORMED'],
    ['refuses a member that is not text', fileOf('license', { ...members, kid: 7 }), 'MALFORMED'],
    ['refuses __proto__', armoured('license', text.replace('}', ',"__proto__":{}}')), 'MALFORMED'],
    ['refuses a certificate that is not JSON', armoured('license', 'enc'), 'MALFORMED'],
    [
      'refuses a key name it does not know',
      fileOf('license', { ...members, kid: 'AAAAAAAAAAAAAAAA' }),
      'KEY_UNKNOWN',
    ],
    [
      'refuses a key that is only announced',
      sampleLicenseFile({ signer: KEYS.pendingLicense }),
      'KEY_UNKNOWN',
    ],
    ['refuses a key of another purpose', sampleLicenseFile({ signer: KEYS.response }), 'KEY_UNKNOWN'],
    ['refuses the key of another issuer', sampleLicenseFile({ signer: KEYS.stranger }), 'KEY_UNKNOWN'],
    [
      'refuses a test file',
      sampleLicenseFile({ signer: KEYS.testLicense, meta: { environment: 'test' } }),
      'ENVIRONMENT_MISMATCH',
    ],
    [
      'refuses an algorithm it does not know',
      fileOf('license', { ...members, alg: 'aes-256-gcm+rsa-sha256' }),
      'ALGORITHM_UNKNOWN',
    ],
    [
      'refuses an algorithm that is not the key’s',
      fileOf('license', { ...members, alg: 'aes-256-gcm+ecdsa-secp256r1' }),
      'ALGORITHM_UNKNOWN',
    ],
    [
      'refuses a key record, which nothing signed vouches for',
      fileOf('license', { ...members, cert: 'eyJ' }),
      'MALFORMED',
    ],
    ['refuses a file under a site grant', fileOf('license', { ...members, chain: 'eyJ' }), 'GRANT_INVALID'],
    ['refuses a compromised key', sampleLicenseFile({ signer: KEYS.leakedLicense }), 'KEY_COMPROMISED'],
  ]);
}

/** Steps 3 and 4. */
function signatures(): VectorCase[] {
  const { enc, sig } = members;
  const raw = Buffer.from(sig, 'base64');
  const resigned = (bytes: Buffer): string =>
    fileOf('license', { ...members, sig: bytes.toString('base64') });
  const asMachine = signedFile(enc, { ...license, prefix: 'machine', alg: members.alg });
  return licenseFileCases([
    ['refuses a signature made for a machine file', asMachine, 'SIGNATURE_INVALID'],
    [
      'refuses a signature by another key',
      signedFile(enc, { ...license, alg: members.alg, signer: KEYS.stranger, kid: members.kid }),
      'SIGNATURE_INVALID',
    ],
    ['refuses a signature of all zeros', resigned(Buffer.alloc(64)), 'SIGNATURE_INVALID'],
    ['refuses a signature cut short', resigned(raw.subarray(0, 63)), 'SIGNATURE_INVALID'],
    [
      'refuses a signature whose S was enlarged by the group order',
      resigned(withLargerS(raw)),
      'SIGNATURE_INVALID',
    ],
    [
      'refuses the encrypted content of another file',
      fileOf('license', { ...members, enc: membersOf(sampleLicenseFile({ meta: { seq: 18 } })).enc }),
      'SIGNATURE_INVALID',
    ],
    [
      'refuses a signature that is not base64',
      fileOf('license', { ...members, sig: `${sig.slice(0, -2)}*=` }),
      'MALFORMED',
    ],
    [
      'needs the licence key of an encrypted file',
      sampleLicenseFile(),
      'LICENSE_KEY_REQUIRED',
      { licenseKey: undefined },
    ],
    ['refuses another licence key', file, 'DECRYPTION_FAILED', { licenseKey: 'ACME-0000-0000-0000-0000' }],
    [
      'refuses a tag cut to 15 bytes',
      signedFile(encWithShortTag(dataset, 15), { ...license, alg: members.alg }),
      'MALFORMED',
    ],
    [
      'refuses a tag cut to 4 bytes',
      signedFile(encWithShortTag(dataset, 4), { ...license, alg: members.alg }),
      'MALFORMED',
    ],
    [
      'refuses key shares it cannot combine',
      fileOf('license', { ...members, bind: {} }),
      'BINDING_NOT_SUPPORTED',
    ],
  ]);
}

/** Step 5: signed by the right key, and still not what this version reads. */
function contents(): VectorCase[] {
  const { kid } = members;
  const forged = (text: string): string => plainFile(text, license);
  return licenseFileCases([
    ['refuses content of an unknown version', forged(dataset.replace('"v":1', '"v":2')), 'MALFORMED'],
    ['refuses content without a version', forged(dataset.replace('"v":1,', '')), 'MALFORMED'],
    [
      'refuses a member that stands twice in the content',
      forged(dataset.replace('"v":1', '"v":1,"v":1')),
      'MALFORMED',
    ],
    [
      'refuses a signed key name that differs from the outer one',
      forged(dataset.replace(kid, 'AAAAAAAAAAAAAAAA')),
      'MALFORMED',
    ],
    ['refuses content of the other kind', forged(dataset.replace('"licenses"', '"machines"')), 'MALFORMED'],
    ['refuses an enforcement it does not know', forged(dataset.replace('"BLOCK"', '"NONE"')), 'MALFORMED'],
    [
      'refuses a time that is not written as agreed',
      forged(dataset.replace('.000Z","expiry"', 'Z","expiry"')),
      'MALFORMED',
    ],
    ['refuses content that is not an object', forged('[]'), 'MALFORMED'],
    [
      'refuses a file issued after its key was retired',
      sampleLicenseFile({ signer: KEYS.retiredLicense }),
      'KEY_UNKNOWN',
    ],
  ]);
}

function machines(): VectorCase[] {
  const machine = sampleMachineFile({ protection: PROTECTION.plain });
  const text = datasetOf(machine);
  const forged = (changed: string): string => plainFile(changed, { kind: 'machine' });
  const kOfN = text.replace('"binding":{"mode":"exact"}', '"binding":{"mode":"k-of-n"}');
  return machineFileCases([
    ['refuses a licence file as machine file', file, 'MALFORMED'],
    [
      'refuses a machine file without its licence',
      forged(
        text.replace(
          '"type":"licenses","id":"lic_01KJM000000000000000000001","attributes"',
          '"type":"others","id":"x","attributes"',
        ),
      ),
      'MALFORMED',
    ],
    [
      'refuses a machine file with the licence of another machine',
      forged(
        text.replace(
          '"license":{"data":{"type":"licenses","id":"lic_01KJM000000000000000000001"',
          '"license":{"data":{"type":"licenses","id":"lic_other"',
        ),
      ),
      'MALFORMED',
    ],
    [
      'refuses the fingerprint of another machine',
      machine,
      'FINGERPRINT_MISMATCH',
      { fingerprint: 'another machine' },
    ],
    [
      'does not open for another machine',
      sampleMachineFile(),
      'DECRYPTION_FAILED',
      { fingerprint: 'another machine' },
    ],
    ['refuses a choice of components', forged(kOfN), 'BINDING_NOT_SUPPORTED'],
  ]);
}

/** A small-order key would accept a signature by nobody. */
function pinnedKeys(): VectorCase[] {
  const trust = [publicKeyHex(KEYS.license)];
  return licenseFileCases([
    ['accepts a file by a key that is compiled in', file, 'VALID', { trust }],
    [
      'refuses another key than the one compiled in',
      file,
      'KEY_UNKNOWN',
      { trust: [publicKeyHex(KEYS.stranger)] },
    ],
    [
      'refuses a test file by a key that is compiled in',
      sampleLicenseFile({ meta: { environment: 'test' } }),
      'ENVIRONMENT_MISMATCH',
      { trust },
    ],
  ]);
}

/** Every case about how a file is built. */
export const structureCases = (): VectorCase[] => [
  ...wrapping(),
  ...certificates(),
  ...signatures(),
  ...contents(),
  ...machines(),
  ...pinnedKeys(),
];
