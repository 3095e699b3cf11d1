import { expect, test } from 'vitest';
import { startNodeGateway, startWorkerdGateway } from '../gateways.ts';
import { CLIENT_KEY, type Environment, eventually, recordedRequests, testEnvironment } from '../support.ts';
import { programs } from './programs.ts';

const startOf = {
  async Node(env: Environment, onLog: (text: string) => void) {
    const gateway = await startNodeGateway(env);
    gateway.log?.on('data', (chunk) => onLog(String(chunk)));
    return gateway;
  },
  workerd: (env: Environment, onLog: (text: string) => void) => startWorkerdGateway(env, undefined, { onLog }),
};

test.each(Object.entries(startOf))('%s: the Inspector polls a task to its end', async (_, start) => {
  const env = testEnvironment({ LOG_LEVEL: 'info' });
  let logged = '';
  const gateway = await start(env, (text) => {
    logged += text;
  });
  try {
    const client = await programs['Inspector CLI, tasks']?.connect(gateway.url, CLIENT_KEY);
    const result = await client?.callTool('generate_image', { prompt: 'a lighthouse' });
    expect(result?.structuredContent).toMatchObject({ images: [{ url: expect.any(String) }] });
    // The call that is answered with the task, and the request that collects its result.
    await eventually(() => logged.split('"event":"tool_call"').length === 3);
    const creations = (await recordedRequests(env.OPENAI_API_KEY ?? '')).filter(({ method }) => method === 'POST');
    expect(creations).toHaveLength(1);
  } finally {
    await gateway.close();
  }
});
