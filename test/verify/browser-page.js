// What the test's page runs: the built library on what the test put beside it. Everything is done before `load`.
import * as library from './index.js';

const given = JSON.parse(document.getElementById('given').textContent);
const { trust, code } = library.verifyTrustBundle(given.bundle, { roots: [given.root] });
const options = {
  trust,
  product: 'press-control',
  licenseKey: given.licenseKey,
  now: given.now,
  refuseDev: true,
};
const machine = (file) => library.verifyMachineFile(file, { ...options, fingerprint: given.fingerprint });
const answer = (response) => library.verifyResponse(given.request, response, options);

const results = {
  secure: isSecureContext,
  subtle: typeof crypto.subtle,
  bundle: code,
  license: library.verifyLicenseFile(given.license, options).code,
  machine: machine(given.machine).code,
  entitlements: machine(given.machine).entitlements.map((one) => one.code),
  elsewhere: library.verifyMachineFile(given.machine, { ...options, fingerprint: 'another' }).code,
  tampered: library.verifyLicenseFile(given.tampered, options).code,
  signedKey: library.verifySignedKey(given.signedKey, options).code,
  response: answer(given.response).code,
  headers: answer({ ...given.response, headers: new Headers(given.response.headers) }).code,
  replayed: library.verifyResponse({ ...given.request, nonce: 'AAAAAAAAAAAAAAAA' }, given.response, options)
    .code,
};
document.getElementById('results').textContent = JSON.stringify(results);
