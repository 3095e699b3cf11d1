import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { type RunningAzurite, startAzurite } from './stand-ins/azurite.ts';
import { startOpenAIStandIn } from './stand-ins/openai/server.ts';

declare module 'vitest' {
  interface ProvidedContext {
    openaiUrl: string;
    storage: Omit<RunningAzurite, 'close'>;
  }
}

/**
 * Azurite and the OpenAI stand-in run once, in this process, for the tests in both runtimes. The Worker is built when the
 * first test needs it, for all of them.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [azurite, openai, builds] = await Promise.all([startAzurite(), startOpenAIStandIn(), mkdtemp(join(tmpdir(), 'worker-builds-'))]);
  process.env.WORKER_BUILDS = builds;
  const { close: _, ...storage } = azurite;
  project.provide('openaiUrl', openai.url);
  project.provide('storage', storage);
  return async () => {
    await Promise.all([azurite.close(), openai.close(), rm(builds, { recursive: true, force: true })]);
  };
}
