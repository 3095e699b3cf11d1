import { describe, expect, test } from 'vitest';
import { type Config, environmentSchema, loadConfig } from '../src/config.ts';

const REQUIRED = { MCP_SERVER_API_KEY: 'client-key-of-this-test-file' };
const STORAGE = {
  AZURE_STORAGE_CONNECTION_STRING: 'UseDevelopmentStorage=true',
  AZURE_BLOB_CONTAINER: 'media',
  AZURE_BLOB_PUBLIC_BASE_URL: 'https://cdn.example.com/media/',
};

function load(env: Record<string, unknown>): Config {
  const loaded = loadConfig({ ...REQUIRED, ...env });
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
  return loaded.config;
}

function problems(env: Record<string, unknown>): string[] {
  const loaded = loadConfig(env);
  return loaded.ok ? [] : loaded.problems.map(({ variable }) => variable);
}

test('one key is enough, and everything else has its documented default', () => {
  const config = load({});
  expect(config.server).toEqual({
    apiKey: REQUIRED.MCP_SERVER_API_KEY,
    host: '0.0.0.0',
    port: 8000,
    allowedOrigins: undefined,
    allowedHosts: undefined,
    logLevel: 'info',
    resourceLinks: false,
    inlinePreview: false,
  });
  expect(config.openai.baseUrl).toBe('https://api.openai.com/v1');
  expect(config.openai.azure).toBeUndefined();
  expect(config.storage).toEqual({
    configured: false,
    missing: ['AZURE_STORAGE_CONNECTION_STRING', 'AZURE_BLOB_CONTAINER', 'AZURE_BLOB_PUBLIC_BASE_URL'],
  });
});

test('every problem is reported at once, by name and never by value', () => {
  const loaded = loadConfig({
    PORT: 'secret-port',
    LOG_LEVEL: 'secret-level',
    OPENAI_BASE_URL: 'secret-url',
    AZURE_BLOB_CONTAINER: 'Secret_Container',
  });
  if (loaded.ok) throw new Error('accepted');
  expect(loaded.problems.map(({ variable }) => variable).sort()).toEqual([
    'AZURE_BLOB_CONTAINER',
    'LOG_LEVEL',
    'MCP_SERVER_API_KEY',
    'OPENAI_BASE_URL',
    'PORT',
  ]);
  expect(JSON.stringify(loaded.problems)).not.toMatch(/secret-|Secret_/);
});

test('unset, empty and blank mean the same', () => {
  expect(load({ PORT: '', OPENAI_CHAT_MODEL: '   ', AZURE_OPENAI_ENDPOINT: '' })).toEqual(load({}));
  expect(problems({ MCP_SERVER_API_KEY: '' })).toEqual(['MCP_SERVER_API_KEY']);
});

test('a pair of quotes around a value is dropped', () => {
  expect(load({ OPENAI_CHAT_MODEL: '"gpt-6-sol"', PORT: "'9000'" })).toMatchObject({
    server: { port: 9000 },
    openai: { models: { chat: 'gpt-6-sol' } },
  });
});

test('bindings that are not strings are ignored', () => {
  expect(load({ PORT: {}, HOST: 5 })).toEqual(load({}));
});

describe('rejected values', () => {
  test.each([
    ['MCP_SERVER_API_KEY', 'two words'],
    ['MCP_SERVER_API_KEY', 'schlüssel'],
    ['PORT', '65536'],
    ['PORT', '80.5'],
    ['PORT', '-1'],
    ['LOG_LEVEL', 'verbose'],
    ['METRICS_KEY', 'x'.repeat(23)],
    ['MCP_SERVER_API_KEY', 'x'.repeat(4001)],
    ['OPENAI_BASE_URL', 'ftp://example.com'],
    ['OPENAI_BASE_URL', 'https:example.com'],
    ['OPENAI_BASE_URL', 'https://example.com/a b'],
    ['OPENAI_BASE_URL', 'https://example.com/#'],
    ['OPENAI_BASE_URL', 'https://user:password@example.com/v1'],
    ['OPENAI_VIDEO_BASE_URL', 'example.com/v1'],
    ['AZURE_OPENAI_API_VERSION', 'latest'],
    ['AZURE_STORAGE_CONNECTION_STRING', 'AccountName=a'],
    ['AZURE_BLOB_CONTAINER', 'a--b'],
    ['AZURE_BLOB_CONTAINER', 'ab'],
    ['AZURE_BLOB_PUBLIC_BASE_URL', 'https://example.com/?sig=1'],
    ['AZURE_BLOB_PATH_PREFIX', '../other'],
    ['AZURE_BLOB_IMAGE_ROOT', 'a//b'],
    ['AZURE_BLOB_READ_SAS_HOURS', '0'],
  ])('%s=%s', (variable, value) => {
    expect(problems({ ...REQUIRED, AZURE_OPENAI_ENDPOINT: '', [variable]: value })).toEqual([variable]);
  });
});

test("the key of the metrics is not the clients'", () => {
  const key = 'k'.repeat(24);
  expect(problems({ ...REQUIRED, MCP_SERVER_API_KEY: key, METRICS_KEY: key })).toEqual(['METRICS_KEY']);
  expect(load({ METRICS_KEY: key }).server.metricsKey).toBe(key);
});

test('the Azure endpoint requires its key', () => {
  expect(problems({ ...REQUIRED, AZURE_OPENAI_ENDPOINT: 'https://r.openai.azure.com' })).toEqual(['AZURE_OPENAI_API_KEY']);
});

test("a capability's own key needs its own server, because keys are sent nowhere else", () => {
  expect(problems({ ...REQUIRED, OPENAI_VIDEO_API_KEY: 'k' })).toEqual(['OPENAI_VIDEO_BASE_URL']);
});

test.each([
  'https://r.openai.azure.com',
  'https://r.openai.azure.com/',
  'https://r.openai.azure.com/openai',
  'https://r.openai.azure.com/openai/v1/',
  'https://r.openai.azure.com/openai/deployments/team-chat/chat/completions?api-version=2024-10-21',
  'r.openai.azure.com',
  'R',
])("the resource's URL is found in %s", (AZURE_OPENAI_ENDPOINT) => {
  expect(load({ AZURE_OPENAI_ENDPOINT, AZURE_OPENAI_API_KEY: 'k' }).openai.azure?.endpoint).toBe('https://r.openai.azure.com');
});

test.each([
  'https://r.services.ai.azure.com/api/projects/team',
  'https://r.services.ai.azure.com/models/chat/completions?api-version=2024-05-01-preview',
  'https://r.services.ai.azure.com/openai/v1/',
])('of a Foundry URL only the host is used: %s', (AZURE_OPENAI_ENDPOINT) => {
  expect(load({ AZURE_OPENAI_ENDPOINT, AZURE_OPENAI_API_KEY: 'k' }).openai.azure?.endpoint).toBe('https://r.services.ai.azure.com');
});

test.each([
  ['preview', 'v1'],
  ['api-version=preview', 'v1'],
  ['?api-version=2024-10-21', '2024-10-21'],
])('the API version %s is %s', (AZURE_OPENAI_API_VERSION, version) => {
  const azure = { AZURE_OPENAI_ENDPOINT: 'r', AZURE_OPENAI_API_KEY: 'k', AZURE_OPENAI_API_VERSION };
  expect(load(azure).openai.azure?.apiVersion).toBe(version);
});

test.each([
  ['https://api.openai.com', 'https://api.openai.com/v1'],
  ['https://eu.api.openai.com/', 'https://eu.api.openai.com/v1'],
  ['https://api.openai.com/v1/chat/completions', 'https://api.openai.com/v1'],
  ['http://localhost:11434/v1/images/generations/', 'http://localhost:11434/v1'],
  ['http://localhost:11434/v1/videos', 'http://localhost:11434/v1'],
  ['http://localhost:11434/chat/completions', 'http://localhost:11434'],
  ['http://localhost:11434/models', 'http://localhost:11434/models'],
])('the base URL %s becomes %s', (OPENAI_BASE_URL, baseUrl) => {
  expect(load({ OPENAI_BASE_URL }).openai.baseUrl).toBe(baseUrl);
});

describe('warnings', () => {
  const warnings = (env: Record<string, unknown>) => loadConfig({ ...REQUIRED, ...env }).warnings;

  test.each([
    ['OPENAI_APIKEY', 'OPENAI_API_KEY'],
    ['openai_api_key', 'OPENAI_API_KEY'],
    ['OPENAI_API_BASE', 'OPENAI_BASE_URL'],
    ['OPENAI_VIDEO_BASEURL', 'OPENAI_VIDEO_BASE_URL'],
    ['AZURE_OPENAI_KEY', 'AZURE_OPENAI_API_KEY'],
    ['AZURE_BLOB_CONTAINER_NAME', 'AZURE_BLOB_CONTAINER'],
    ['MCP_ALLOWED_ORIGIN', 'MCP_ALLOWED_ORIGINS'],
  ])('%s: did you mean %s?', (variable, meant) => {
    expect(warnings({ [variable]: 'secret' })).toEqual([{ variable, problem: `is not read; did you mean ${meant}?` }]);
    // If the right one is set as well, the other is somebody else's.
    expect(warnings({ [variable]: 'secret', [meant]: 'http://127.0.0.1/v1' })).toEqual([]);
  });

  test.each(['OPENAI_LOG', 'OPENAI_WEBHOOK_SECRET', 'AZURE_CLIENT_ID', 'AZURE_TENANT_ID', 'MCP_REMOTE_CONFIG_DIR', 'HOME', 'OPENAI_'])(
    '%s belongs to somebody else',
    (variable) => expect(warnings({ [variable]: 'x' })).toEqual([]),
  );

  test('a misspelled name is reported along with the problems', () => {
    expect(loadConfig({ MCP_SERVER_APIKEY: 'secret' })).toEqual({
      ok: false,
      problems: [{ variable: 'MCP_SERVER_API_KEY', problem: 'is required' }],
      warnings: [{ variable: 'MCP_SERVER_APIKEY', problem: 'is not read; did you mean MCP_SERVER_API_KEY?' }],
    });
  });

  test("a base URL without a path, unless it is OpenAI's", () => {
    const env = { OPENAI_BASE_URL: 'https://api.openai.com', OPENAI_CHAT_BASE_URL: 'http://localhost:11434/chat/completions' };
    expect(warnings(env)).toEqual([{ variable: 'OPENAI_CHAT_BASE_URL', problem: expect.stringContaining('/v1') }]);
  });
});

describe('a weak client key', () => {
  test.each(['short', 'x'.repeat(23), '<MCP_SERVER_API_KEY>', '<MCP_SERVER_API_KEY-of-the-gateway>', 'your-key-goes-here-in-this-place'])(
    '%s is a warning, and where others can reach the server an error',
    (MCP_SERVER_API_KEY) => {
      const weak = [{ variable: 'MCP_SERVER_API_KEY', problem: expect.stringContaining('openssl rand -hex 32') }];
      expect(loadConfig({ MCP_SERVER_API_KEY })).toMatchObject({ ok: true, warnings: weak });
      const load = (env: Record<string, string>) => loadConfig({ MCP_SERVER_API_KEY, ...env }, { rejectWeakKey: true });
      expect(load({})).toEqual({ ok: false, problems: weak, warnings: [] });
      expect(load({ HOST: '192.0.2.1', MCP_ALLOW_WEAK_KEY: '0' })).toMatchObject({ ok: false });
      expect(load({ HOST: '127.0.0.1' })).toMatchObject({ ok: true, warnings: weak });
      expect(load({ MCP_ALLOW_WEAK_KEY: '1' })).toMatchObject({ ok: true, warnings: weak });
    },
  );

  test('24 characters are enough', () => {
    expect(loadConfig({ MCP_SERVER_API_KEY: 'x'.repeat(24) }, { rejectWeakKey: true })).toMatchObject({ ok: true, warnings: [] });
  });
});

test('enumerated values are case-insensitive', () => {
  expect(load({ LOG_LEVEL: 'INFO' })).toEqual(load({ LOG_LEVEL: 'info' }));
  expect(problems({ ...REQUIRED, AZURE_OPENAI_API_VERSION: 'V1' })).toEqual([]);
});

test('storage is configured when its three variables are set, and trims slashes', () => {
  expect(load({ ...STORAGE, AZURE_BLOB_PATH_PREFIX: '/team/a/' }).storage).toMatchObject({
    configured: true,
    azure: { account: { accountName: 'devstoreaccount1' }, container: 'media', publicBaseUrl: 'https://cdn.example.com/media' },
    media: { pathPrefix: 'team/a', roots: { image: 'images', audio: 'audio', video: 'videos' }, readHours: undefined },
  });
});

test('partial storage settings are valid and report what is missing', () => {
  expect(load({ AZURE_BLOB_CONTAINER: 'media' }).storage).toEqual({
    configured: false,
    missing: ['AZURE_STORAGE_CONNECTION_STRING', 'AZURE_BLOB_PUBLIC_BASE_URL'],
  });
});

test('lists are split at commas', () => {
  expect(load({ MCP_ALLOWED_HOSTS: 'a.example.com, b.example.com,' }).server.allowedHosts).toEqual(['a.example.com', 'b.example.com']);
  expect(load({ MCP_ALLOWED_INPUT_HOSTS: 'Images.Example.COM' }).inputHosts).toEqual(['images.example.com']);
});

test('every name of the schema is read', () => {
  const read = new Set<string>();
  loadConfig(new Proxy({}, { get: (_, name) => void read.add(String(name)) }));
  expect([...read]).toEqual(Object.keys(environmentSchema.shape));
});
