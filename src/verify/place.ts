import { demandEnvironment, demandState } from './call.ts';
import { EMPTY_STATE, type VerifierState } from './state.ts';
import type { Environment } from './trust.ts';

/** Where and after what a call stands, with the defaults filled in. @throws TypeError */
export function placeOf(options: {
  readonly environment?: Environment | undefined;
  readonly state?: VerifierState | undefined;
}): {
  readonly environment: Environment;
  readonly state: VerifierState;
} {
  const { environment, state } = options;
  const place = { environment: environment ?? 'live', state: state ?? EMPTY_STATE };
  demandEnvironment(place.environment);
  demandState(place.state);
  return place;
}
