/** Commands that end what a rule of the validation found, by its code; `{id}` and `{machine}` are filled in. */
const STEPS: Readonly<Record<string, readonly string[]>> = {
  SUSPENDED: ['mintmark license reinstate {id}'],
  EXPIRED: ['mintmark license renew {id} --days 365'],
  FINGERPRINT_REQUIRED: ['mintmark license explain {id} --fingerprint <text>'],
  FINGERPRINT_NOT_FOUND: ['mintmark machine create {id} --fingerprint <text>'],
  HEARTBEAT_REQUIRED: ['mintmark machine heartbeat {machine}'],
  MACHINE_LIMIT_EXCEEDED: ['mintmark license update {id} --max-machines <n>'],
  ENTITLEMENTS_MISSING: ['mintmark license entitle {id} <entitlement id>'],
  USES_EXCEEDED: ['mintmark license update {id} --max-uses <n>'],
};

/**
 * What support can type next about a finding. A command for a machine is left out when none is known.
 * @param code of the rule that found it
 */
export function nextSteps(code: string, id: string, machine: string | null): string[] {
  const steps = (STEPS[code] ?? []).map((step) => step.replace('{id}', id));
  const known = steps.filter((step) => machine !== null || !step.includes('{machine}'));
  return known.map((step) => step.replace('{machine}', machine ?? ''));
}
