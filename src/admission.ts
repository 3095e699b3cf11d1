import { GatewayError } from './errors.ts';

/** Memory for media in flight, reserved before anything is billed. */
export type Admission = Readonly<{
  /** Reserves `bytes`, or the whole capacity if that is less. Throws `busy` when too little is free. */
  admit: (bytes: number) => Admitted;
}>;

type Admitted = Readonly<{ bytes: number; release: () => void }>;

/** Roughly the time an image takes. */
const RETRY_AFTER_SECONDS = 20;

export function createAdmission(capacityBytes: number): Admission {
  let usedBytes = 0;
  return {
    admit(requestedBytes) {
      const bytes = Math.min(requestedBytes, capacityBytes);
      if (usedBytes + bytes > capacityBytes) throw new GatewayError({ kind: 'busy', retryAfterSeconds: RETRY_AFTER_SECONDS });
      usedBytes += bytes;
      let isHeld = true;
      return {
        bytes,
        release() {
          if (isHeld) usedBytes -= bytes;
          isHeld = false;
        },
      };
    },
  };
}
