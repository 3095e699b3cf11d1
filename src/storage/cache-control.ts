/** Names are never reused, so the content of an object never changes. */
export const CACHE_CONTROL = 'public, max-age=31536000, immutable';
/** Of one that is replaced. */
export const NO_CACHE = 'no-store';
