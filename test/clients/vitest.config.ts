import { defineConfig } from 'vitest/config';

/** `npm run test:clients`: every client with every tool, most of which is waiting for programs to start. */
export default defineConfig({
  test: {
    globalSetup: 'test/global-setup.ts',
    include: ['test/clients/matrix.test.ts'],
    pool: 'threads',
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
