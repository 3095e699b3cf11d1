import { defineConfig } from 'vitest/config';

/** `npm run test:package`: what is published to npm, installed from its tarball as a user would; needs the npm registry. */
export default defineConfig({
  test: {
    globalSetup: 'test/global-setup.ts',
    include: ['test/package/package.test.ts'],
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
