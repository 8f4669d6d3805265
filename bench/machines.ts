import { type Asking, dataIn } from './load.ts';
import { createPolicy, issue, type Issued, loadOurs, type Stage } from './stage.ts';

/** A machine that a case uses, with its licence. */
export interface BenchMachine {
  readonly id: string;
  readonly fingerprint: string;
  readonly license: Issued;
}

/** Issues licences and activates one machine on each. */
export async function issueMachines(
  stage: Pick<Stage, 'appliance' | 'productId'>,
  count: number,
  policy: Readonly<Record<string, unknown>> & { readonly name: string },
): Promise<BenchMachine[]> {
  const licenses = await issue(stage, await createPolicy(stage, policy), count);
  const machines: BenchMachine[] = [];
  const asking: Asking = {
    request: (i) => ({
      method: 'POST',
      path: `/api/v1/licenses/${licenses[i]?.id ?? ''}/machines`,
      body: JSON.stringify({ fingerprint: fingerprintOf(i), platform: 'linux' }),
    }),
    check: (i, answer) => {
      const id = String(dataIn(201, i, answer)['id']);
      const license = licenses[i];
      if (license !== undefined) machines[i] = { id, fingerprint: fingerprintOf(i), license };
    },
  };
  await loadOurs(stage, asking, { requests: count });
  return machines;
}

const fingerprintOf = (i: number): string => `bench-machine-${i}`;
