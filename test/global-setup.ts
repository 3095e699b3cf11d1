import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { type RunningAzurite, startAzurite } from './stand-ins/azurite.ts';
import { startOpenAIStandIn } from './stand-ins/openai/server.ts';
import { type RunningS3, startS3 } from './stand-ins/s3.ts';

declare module 'vitest' {
  interface ProvidedContext {
    openaiUrl: string;
    storage: Omit<RunningAzurite, 'close'>;
    s3: Omit<RunningS3, 'close'>;
  }
}

/**
 * Azurite, the S3 emulator and the OpenAI stand-in run once, in this process, for the tests in both runtimes. The Worker is built when the
 * first test needs it, for all of them.
 */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const [azurite, s3, openai, builds] = await Promise.all([
    startAzurite(),
    startS3(),
    startOpenAIStandIn(),
    mkdtemp(join(tmpdir(), 'worker-builds-')),
  ]);
  process.env.WORKER_BUILDS = builds;
  const { close: _, ...storage } = azurite;
  const { close: __, ...bucket } = s3;
  project.provide('openaiUrl', openai.url);
  project.provide('storage', storage);
  project.provide('s3', bucket);
  return async () => {
    await Promise.all([azurite.close(), s3.close(), openai.close(), rm(builds, { recursive: true, force: true })]);
  };
}
