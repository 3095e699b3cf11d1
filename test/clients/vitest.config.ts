import { defineConfig } from 'vitest/config';

/** `npm run test:clients`: every client with every tool, most of which is waiting for programs to start. */
export default defineConfig({
  test: {
    globalSetup: ['test/clients/installed/setup.ts', 'test/global-setup.ts'],
    include: ['test/clients/{agents,impatient,matrix,stdio,tasks}.test.ts'],
    pool: 'threads',
    // Of clients that would report to their makers that they were used.
    env: { MCP_USE_ANONYMIZED_TELEMETRY: 'false', MASTRA_TELEMETRY_DISABLED: '1', OPENAI_AGENTS_DISABLE_TRACING: '1' },
    testTimeout: 300_000,
    hookTimeout: 300_000,
  },
});
