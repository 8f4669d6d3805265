import { judgementCases } from './judgement-cases.ts';
import { sampleBundle, sampleList, sampleRotation } from './sample-messages.ts';
import {
  FINGERPRINT,
  KEYS,
  LICENSE_KEY,
  PROTECTION,
  sampleLicenseFile,
  sampleMachineFile,
  sampleSignedKey,
} from './samples.ts';
import { responseCases } from './response-cases.ts';
import { sequenceCases, fingerprintOf } from './sequence-cases.ts';
import { publicKeyHex } from './signers.ts';
import { structureCases } from './structure-cases.ts';
import { sampleToken } from './sample-token.ts';

const README = `# Vectors

Made by \`npm run vectors:generate\` with keys of our own, whose secrets are the SHA-256 of a published label. Never
trust them. The formats are described in docs/formats/.

| file | what |
|---|---|
| keys.json | the keys, their seeds and names; licence key and fingerprint of the samples |
| license.lic, license-plain.lic | a licence file, encrypted and not |
| machine.lic, machine-plain.lic | a machine file, encrypted and not |
| signed-key.txt, token.jwt | the same licence as signed key and as compact token |
| trust-bundle.jws, trust-bundle-rotation.json | a trust bundle, and one signed by two roots |
| revocation-list.jws | a revocation list |
| cases.json | files and signed keys, how to judge them, and the code that must come out |
| sequences.json | trust bundles and revocation lists, given one after the other, and the code of each |
| responses.json | requests with a nonce, answers to them, and the code that must come out |
`;

/** Name and text of every vector file. */
export function vectorFiles(): readonly (readonly [name: string, text: string])[] {
  const plain = { protection: PROTECTION.plain };
  const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;
  return [
    ['README.md', README],
    ['keys.json', json(keys())],
    ['license.lic', sampleLicenseFile()],
    ['license-plain.lic', sampleLicenseFile(plain)],
    ['machine.lic', sampleMachineFile()],
    ['machine-plain.lic', sampleMachineFile(plain)],
    ['signed-key.txt', `${sampleSignedKey()}\n`],
    ['token.jwt', `${sampleToken()}\n`],
    ['trust-bundle.jws', `${sampleBundle()}\n`],
    ['trust-bundle-rotation.json', `${sampleRotation()}\n`],
    ['revocation-list.jws', `${sampleList()}\n`],
    ['cases.json', json([...judgementCases(), ...structureCases()])],
    ['sequences.json', json(sequenceCases())],
    ['responses.json', json(responseCases())],
  ];
}

function keys(): object {
  const rows = Object.entries(KEYS).map(([name, signer]): readonly [string, object] => [
    name,
    {
      label: signer.label,
      seed: signer.seedHex,
      publicKey: publicKeyHex(signer),
      kid: signer.ref.kid,
      fingerprint: fingerprintOf(signer),
    },
  ]);
  return { licenseKey: LICENSE_KEY, fingerprint: FINGERPRINT, keys: Object.fromEntries(rows) };
}
