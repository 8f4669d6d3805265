/**
 * Runs the built library in a context that has ECMAScript and nothing else: no console, no URL, no TextEncoder, no
 * crypto, no timers. Started as a program of its own, because modules in a context need a flag of Node.
 *
 *     node --experimental-vm-modules bare-engine.ts <built file>      cases and bundle on stdin, answers on stdout
 */
import { readFileSync } from 'node:fs';
import { createContext, runInContext, SourceTextModule } from 'node:vm';

/** What is asked of the library inside. Everything crosses as JSON text, so that no object of Node gets in. */
const PROGRAM = `
  const { bundle, root, file, machine, fingerprint, licenseKey, request, response, now } = JSON.parse(input);
  const { trust, code } = library.verifyTrustBundle(bundle, { roots: [root] });
  const options = { trust, product: 'press-control', licenseKey, now, refuseDev: true };
  const broken = file.replace('A', 'B');
  JSON.stringify({
    bundle: code,
    file: library.verifyLicenseFile(file, options).code,
    broken: library.verifyLicenseFile(broken, options).code,
    response: library.verifyResponse(request, response, { trust, product: options.product, now }).code,
    machine: library.verifyMachineFile(machine, { ...options, fingerprint }).code,
    foreign: ['Buffer', 'TextDecoder', 'TextEncoder', 'URL', 'atob', 'crypto', 'fetch', 'process', 'require', 'setTimeout']
      .filter((name) => name in globalThis),
  });
`;

async function main(): Promise<void> {
  const [path = ''] = process.argv.slice(2);
  const context = createContext({}, { codeGeneration: { strings: false, wasm: false } });
  const module = new SourceTextModule(readFileSync(path, 'utf8'), { context, identifier: path });
  await module.link((specifier: string) => {
    throw new Error(`the built file imports ${specifier}`);
  });
  await module.evaluate();
  Object.assign(context, { library: module.namespace, input: readFileSync(0, 'utf8') });
  console.log(runInContext(PROGRAM, context));
}

await main();
