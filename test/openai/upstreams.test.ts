import { describe, expect, inject, test } from 'vitest';
import { createTestApp, newAccount, testEnvironment, testRuntime } from '../support.ts';

const CHAT = { prompt: 'hello' };
const IMAGE = { prompt: 'a lamp', size: '64x64' };

function azureEnvironment(overrides: Record<string, string> = {}) {
  const { OPENAI_API_KEY: _, OPENAI_BASE_URL: __, ...rest } = testEnvironment();
  return {
    ...rest,
    AZURE_OPENAI_ENDPOINT: `${inject('openaiUrl')}/`,
    AZURE_OPENAI_API_KEY: newAccount(),
    AZURE_OPENAI_CHAT_DEPLOYMENT: 'team-chat',
    AZURE_OPENAI_IMAGE_DEPLOYMENT: 'team-image',
    ...overrides,
  };
}

describe('OpenAI', () => {
  test('the key, the organization and the project are sent, and the default model', async () => {
    const app = createTestApp(testEnvironment({ OPENAI_ORG_ID: 'org-1', OPENAI_PROJECT_ID: 'proj-1' }));
    expect((await app.call('chat_completion', CHAT)).isError).toBeUndefined();
    const [request] = await app.requests();
    expect(request).toMatchObject({
      method: 'POST',
      path: '/v1/chat/completions',
      headers: { authorization: expect.stringMatching(/^Bearer account-/), 'openai-organization': 'org-1', 'openai-project': 'proj-1' },
      body: { model: 'gpt-6-luna' },
    });
  });

  test('an organization and a project that are not set are not sent', async () => {
    const app = createTestApp();
    await app.call('chat_completion', CHAT);
    const [request] = await app.requests();
    expect(Object.keys(request?.headers ?? {})).not.toEqual(expect.arrayContaining(['openai-organization']));
    expect(Object.keys(request?.headers ?? {})).not.toEqual(expect.arrayContaining(['openai-project']));
  });

  test('the models of the environment are the defaults, the model of the call wins', async () => {
    const app = createTestApp(testEnvironment({ OPENAI_CHAT_MODEL: 'gpt-6-sol' }));
    await app.call('chat_completion', CHAT);
    await app.call('chat_completion', { ...CHAT, model: 'gpt-4.1' });
    expect((await app.requests()).map(({ body }) => (body as { model: string }).model)).toEqual(['gpt-6-sol', 'gpt-4.1']);
  });

  test('without a key the tools say which variable is missing', async () => {
    const { OPENAI_API_KEY: _, OPENAI_BASE_URL: __, ...env } = testEnvironment();
    const result = await createTestApp(env).call('chat_completion', CHAT);
    expect(result).toMatchObject({
      isError: true,
      content: [{ text: expect.stringMatching(/OPENAI_API_KEY.*\(not_configured, /) }],
    });
  });
});

describe('Azure OpenAI', () => {
  test.each([
    ['chat_completion', CHAT, '/openai/deployments/team-chat/chat/completions'],
    ['generate_image', IMAGE, '/openai/deployments/team-image/images/generations'],
  ])('%s goes to its deployment, with the key in api-key and the API version', async (tool, args, path) => {
    const env = azureEnvironment();
    const app = createTestApp(env);
    expect(await app.call(tool, args)).not.toHaveProperty('isError');
    const [request] = await app.requests();
    expect(request).toMatchObject({ path, query: '?api-version=2025-04-01-preview', headers: { 'api-key': env.AZURE_OPENAI_API_KEY } });
    expect(request?.headers).not.toHaveProperty('authorization');
  });

  test('the API version of the environment is used', async () => {
    const app = createTestApp(azureEnvironment({ AZURE_OPENAI_API_VERSION: '2024-10-21' }));
    await app.call('chat_completion', CHAT);
    expect((await app.requests())[0]?.query).toBe('?api-version=2024-10-21');
  });

  test.each([
    ['chat_completion', CHAT, '/openai/v1/chat/completions', 'team-chat'],
    ['generate_image', IMAGE, '/openai/v1/images/generations', 'team-image'],
  ])('the v1 API has the deployment as model: %s', async (tool, args, path, model) => {
    const env = azureEnvironment({ AZURE_OPENAI_API_VERSION: 'v1' });
    const app = createTestApp(env);
    expect(await app.call(tool, args)).not.toHaveProperty('isError');
    const [request] = await app.requests();
    expect(request).toMatchObject({ path, query: '', headers: { 'api-key': env.AZURE_OPENAI_API_KEY }, body: { model } });
    expect(request?.headers).not.toHaveProperty('authorization');
  });

  test('an unset deployment falls back to the model of that capability', async () => {
    const app = createTestApp(azureEnvironment({ AZURE_OPENAI_CHAT_DEPLOYMENT: '', OPENAI_CHAT_MODEL: 'team-chat' }));
    await app.call('chat_completion', CHAT);
    expect((await app.requests())[0]?.path).toBe('/openai/deployments/team-chat/chat/completions');
  });

  test('OPENAI_BASE_URL and OPENAI_API_KEY do not matter beside it', async () => {
    const app = createTestApp(azureEnvironment({ OPENAI_BASE_URL: 'https://unused.example.com/v1', OPENAI_API_KEY: 'unused-key' }));
    expect(await app.call('chat_completion', CHAT)).not.toHaveProperty('isError');
  });

  test('the error for a missing deployment has the code from Azure', async () => {
    const result = await createTestApp(azureEnvironment({ AZURE_OPENAI_CHAT_DEPLOYMENT: 'no-such' })).call('chat_completion', CHAT);
    expect(result.content[0]?.text).toMatch(/Azure OpenAI \(127\.0\.0\.1:\d+\).*404 \(DeploymentNotFound\).*list_supported_models/);
  });

  test('webp, which Azure does not support, is rejected before anything is sent', async () => {
    const app = createTestApp(azureEnvironment());
    const result = await app.call('generate_image', { ...IMAGE, output_format: 'webp' });
    expect(result).toMatchObject({ isError: true, content: [{ text: expect.stringMatching(/output_format.*png.*jpeg/) }] });
    expect(await app.requests()).toEqual([]);
  });
});

describe('one capability on another server', () => {
  test('it gets its own key, and neither the key nor the organization of the others', async () => {
    const key = newAccount();
    const main = testEnvironment({ OPENAI_ORG_ID: 'org-1', OPENAI_CHAT_BASE_URL: `${inject('openaiUrl')}/v1`, OPENAI_CHAT_API_KEY: key });
    const there = createTestApp({ ...main, OPENAI_BASE_URL: 'https://unused.example.com/v1' });
    expect(await there.call('chat_completion', CHAT)).not.toHaveProperty('isError');
    const [request] = await createTestApp({ ...main, OPENAI_API_KEY: key }).requests();
    expect(request?.headers.authorization).toBe(`Bearer ${key}`);
    expect(request?.headers).not.toHaveProperty('openai-organization');
  });

  test('without a key of its own, no Authorization header is sent', async () => {
    const seen: (string | null)[] = [];
    const env = testEnvironment({ OPENAI_CHAT_BASE_URL: 'https://models.example.com/v1' });
    const runtime = testRuntime({
      fetch: async (input, init) => {
        seen.push(new Request(input, init).headers.get('authorization'));
        return Response.json({ id: 'x', model: 'm', choices: [{ finish_reason: 'stop', message: { content: 'hi' } }] });
      },
    });
    expect(await createTestApp(env, runtime).call('chat_completion', CHAT)).toMatchObject({ structuredContent: { text: 'hi' } });
    expect(seen).toEqual([null]);
  });
});
