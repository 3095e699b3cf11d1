import { cloudflareTest } from '@cloudflare/vitest-plugin';
import { defineConfig } from 'vitest/config';

/** Files that end in `.node.test.ts` need Node (the oracles, processes); all others run in both runtimes. */
const nodeOnly = 'test/**/*.node.test.ts';
const clients = 'test/clients/**';

export default defineConfig({
  test: {
    globalSetup: 'test/global-setup.ts',
    testTimeout: 20_000,
    projects: [
      { extends: true, test: { name: 'node', include: ['test/**/*.test.ts'], exclude: [clients] } },
      {
        extends: true,
        plugins: [cloudflareTest({ wrangler: { configPath: './wrangler.toml' } })],
        test: { name: 'workerd', include: ['test/**/*.test.ts'], exclude: [clients, nodeOnly] },
      },
      { extends: true, test: { name: 'clients', include: [`${clients}/*.test.ts`], testTimeout: 30_000, hookTimeout: 60_000 } },
    ],
  },
});
