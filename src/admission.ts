import { GatewayError } from './errors.ts';

/** Memory for media in flight, given out before anything is paid for. */
export type Admission = Readonly<{
  /** Reserves `bytes`, or all there is if that is less; throws `busy` when so much is not free now. */
  admit: (bytes: number) => Admitted;
}>;

type Admitted = Readonly<{ bytes: number; release: () => void }>;

/** About as long as an image takes. */
const RETRY_AFTER_SECONDS = 20;

export function createAdmission(capacityBytes: number): Admission {
  let used = 0;
  return {
    admit(wanted) {
      const bytes = Math.min(wanted, capacityBytes);
      if (used + bytes > capacityBytes) throw new GatewayError({ kind: 'busy', retryAfterSeconds: RETRY_AFTER_SECONDS });
      used += bytes;
      let isHeld = true;
      return {
        bytes,
        release() {
          if (isHeld) used -= bytes;
          isHeld = false;
        },
      };
    },
  };
}
