import { verifyMachineFile } from '../../src/verify/index.ts';
import { type Asking, dataIn } from '../load.ts';
import { type BenchMachine, issueMachines } from '../machines.ts';
import { nativeVerifiers } from '../native-verifiers.ts';
import type { BenchRow } from '../report.ts';
import { floorAsking, floorLicense, loadFloor, loadOurs, PRODUCT, rateRow, type Stage } from '../stage.ts';

const FEW = 16;
const BAR_P99_MS = 50;
const MACHINES = 1000;

/** Checks machine files out, at 64 connections and at 16; afterwards every one of them is verified. */
export async function checkoutCase(stage: Stage): Promise<BenchRow[]> {
  const { requests } = stage.sizes;
  const machines = await issueMachines(stage, Math.min(MACHINES, requests), { name: 'Checkout' });
  const bare = await floorLicense(stage);
  const floored = floorAsking('/checkout', () => ({ license: bare.id }));
  const many = await checkOut(stage, machines, { requests });
  const floor = await loadFloor(stage, floored, { requests });
  const few = await checkOut(stage, machines, { requests: requests / 2, connections: FEW });
  const floorFew = await loadFloor(stage, floored, { requests: requests / 2, connections: FEW });
  const bar = { ratio: 0.4, perSecond: 1000 };
  const fewRow = rateRow(`machine-file checkout, ${FEW} connections`, {}, { ours: few, floor: floorFew });
  return [
    rateRow('machine-file checkout, 64 connections', bar, { ours: many, floor }),
    { ...fewRow, bar: `p99 ≤ ${BAR_P99_MS} ms when the disk allows`, holds: few.latency.p99Ms <= BAR_P99_MS },
  ];
}

async function checkOut(
  stage: Stage,
  machines: readonly BenchMachine[],
  shape: { readonly requests: number; readonly connections?: number },
): ReturnType<typeof loadOurs> {
  const files: string[] = [];
  const asking: Asking = {
    request: (i) => ({
      method: 'POST',
      path: `/api/v1/machines/${machines[i % machines.length]?.id ?? ''}/checkout`,
      body: '{}',
    }),
    check: (i, answer) => {
      files[i] = String(dataIn(200, i, answer)['certificate']);
    },
  };
  const measured = await loadOurs(stage, asking, shape);
  verifyAll(stage, files, machines);
  return measured;
}

/** Every file opens with its key, is for its machine, and is signed by the appliance. */
function verifyAll(stage: Stage, files: readonly string[], machines: readonly BenchMachine[]): void {
  const verifiers = nativeVerifiers();
  for (const [i, file] of files.entries()) {
    const machine = machines[i % machines.length];
    const verdict = verifyMachineFile(file, {
      trust: stage.appliance.trust,
      product: PRODUCT,
      licenseKey: machine?.license.key ?? '',
      fingerprint: machine?.fingerprint ?? '',
      verifiers,
    });
    if (!verdict.valid) throw new Error(`file ${i} is not valid: ${verdict.code} ${verdict.message}`);
  }
}
