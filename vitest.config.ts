import { cloudflareTest } from '@cloudflare/vitest-plugin';
import { defineConfig } from 'vitest/config';

/** Files that end in `.node.test.ts` need Node (the oracles, processes); all others run in both runtimes. */
const nodeOnly = 'test/**/*.node.test.ts';
/** The tests of `npm run test:clients` and `npm run test:package`, and those of the packages that they install. */
const clients = ['test/clients/{agents,impatient,matrix,stdio,tasks}.test.ts', 'test/package/package.test.ts', '**/node_modules/**'];

/** Ends what hangs. A test that needs more than a fraction of it, on whatever machine, is too large. */
const HANGS_AFTER_MS = 300_000;

export default defineConfig({
  test: {
    globalSetup: 'test/global-setup.ts',
    testTimeout: HANGS_AFTER_MS,
    hookTimeout: HANGS_AFTER_MS,
    // Tests share no state but the servers, each under an account of its own; so files share threads and modules.
    isolate: false,
    pool: 'threads',
    // Most tests wait more than they work.
    maxWorkers: 3,
    projects: [
      { extends: true, test: { name: 'node', include: ['test/**/*.test.ts'], exclude: clients } },
      {
        extends: true,
        plugins: [cloudflareTest({ wrangler: { configPath: './wrangler.toml' } })],
        test: { name: 'workerd', include: ['test/**/*.test.ts'], exclude: [...clients, nodeOnly] },
      },
    ],
  },
});
