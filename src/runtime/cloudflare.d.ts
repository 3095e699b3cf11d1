/** What is used of the modules of the Workers runtime. */
declare module 'cloudflare:workers' {
  /** Lets the work of the current request go on after its client has gone, for up to 30 s. */
  export function waitUntil(work: Promise<unknown>): void;
}
