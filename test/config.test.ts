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
  const principal = { id: 'default', name: 'default', limits: {} };
  expect(config.clients).toEqual({
    keys: [{ principal, secret: { key: REQUIRED.MCP_SERVER_API_KEY }, expiresMs: undefined }],
    defaults: {},
  });
  expect(config.server).toEqual({
    host: '0.0.0.0',
    port: 8000,
    allowedOrigins: undefined,
    allowedHosts: undefined,
    logLevel: 'info',
    isServed: true,
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

test('every problem of MODEL_PRICES is named by its model', () => {
  const prices = { good: { input: 1, second: { '1280x720': 0.1 } }, team: 'secret-model', odd: { input: -1, outptu: 2 }, list: ['secret'] };
  const loaded = loadConfig({ ...REQUIRED, MODEL_PRICES: JSON.stringify(prices) });
  if (loaded.ok) throw new Error('accepted');
  expect(loaded.problems.map(({ variable, problem }) => `${variable} ${problem}`)).toEqual([
    expect.stringMatching(/^MODEL_PRICES has a problem at "team": a text must be the name of a model/),
    expect.stringMatching(/^MODEL_PRICES has a problem at "odd": input must be a number of US dollars, 0 or more/),
    expect.stringMatching(/^MODEL_PRICES has a problem at "odd": .*outptu/),
    expect.stringMatching(/^MODEL_PRICES has a problem at "list": must be an object of prices, the name of a model, or 0/),
  ]);
  expect(JSON.stringify(loaded.problems)).not.toContain('secret');
});

test('a price that MODEL_PRICES states twice is a problem, as only one of them would count', () => {
  const stated = '{"a": {"input": 5, "input": 0}, "b": {"input": 5}, "b": 0}';
  const loaded = loadConfig({ ...REQUIRED, MODEL_PRICES: stated });
  expect(loaded).toMatchObject({
    ok: false,
    problems: [
      { variable: 'MODEL_PRICES', problem: 'has "input" more than once in one object' },
      { variable: 'MODEL_PRICES', problem: 'has "b" more than once in one object' },
    ],
  });
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

test('bindings of a Worker that are not strings are read as what they say', () => {
  const config = load({
    MCP_BUDGET_USD_PER_DAY: 2.5,
    MCP_STORE_PROMPTS: true,
    MCP_ALLOWED_HOSTS: ['a.example.com', 'b.example.com'],
    MODEL_PRICES: { 'my-model': { input: 1 } },
  });
  expect(config.budgetUsdPerDay).toBe(2.5);
  expect(config.jobs.storePrompts).toBe(true);
  expect(config.server.allowedHosts).toEqual(['a.example.com', 'b.example.com']);
  expect(config.prices).toEqual({ 'my-model': { input: 1 } });
  // Such as a secret in a secrets store.
  const binding = { get: async () => 'a-key-of-these-tests' };
  expect(problems({ MCP_SERVER_API_KEY: binding })).toEqual(['MCP_SERVER_API_KEY', 'MCP_SERVER_API_KEY']);
  expect(problems({ ...REQUIRED, PORT: {}, MCP_BUDGET_USD_PER_DAY: 1e21, MCP_MAX_JOBS: false })).toEqual([
    'PORT',
    'MCP_BUDGET_USD_PER_DAY',
    'MCP_MAX_JOBS',
  ]);
  expect(loadConfig({ ...REQUIRED, MCP_BUDGET_USD_PERDAY: 50 }).warnings).toMatchObject([{ variable: 'MCP_BUDGET_USD_PERDAY' }]);
});

const OAUTH = { MCP_OAUTH_ISSUER: 'https://login.example.com/tenant/', MCP_OAUTH_AUDIENCE: 'api://gateway' };

describe('sign-in', () => {
  test('needs no key, and an issuer and an audience are enough', () => {
    const loaded = loadConfig(OAUTH, { rejectWeakKey: true });
    expect(loaded).toMatchObject({ ok: true, config: { clients: { keys: [] } }, warnings: [] });
    expect(loaded.ok && loaded.config.oauth).toEqual({
      issuer: 'https://login.example.com/tenant/',
      audiences: ['api://gateway'],
      jwksUrl: undefined,
      scopes: [],
      limitsClaim: undefined,
    });
    expect(load({}).oauth).toBeUndefined();
  });

  test('takes several audiences and scopes', () => {
    const lists = { MCP_OAUTH_AUDIENCE: 'a, https://b.example.com/mcp,', MCP_OAUTH_SCOPES: 'one,two  api://a/three' };
    expect(load({ ...OAUTH, ...lists }).oauth).toMatchObject({
      audiences: ['a', 'https://b.example.com/mcp'],
      scopes: ['one', 'two', 'api://a/three'],
    });
  });

  test('takes an issuer on loopback, and keys from an internal server', () => {
    const local = { MCP_OAUTH_ISSUER: 'http://localhost:8080/realms/team', MCP_OAUTH_JWKS_URL: 'http://keycloak:8080/certs?realm=team' };
    expect(load({ ...OAUTH, ...local }).oauth).toMatchObject({ issuer: local.MCP_OAUTH_ISSUER, jwksUrl: local.MCP_OAUTH_JWKS_URL });
  });

  test('is all or nothing, and every problem is reported', () => {
    expect(problems({ MCP_OAUTH_ISSUER: OAUTH.MCP_OAUTH_ISSUER })).toEqual(['MCP_OAUTH_AUDIENCE']);
    expect(problems({ ...REQUIRED, MCP_OAUTH_SCOPES: 'mcp', MCP_OAUTH_AUDIENCE: 'a' })).toEqual(['MCP_OAUTH_ISSUER']);
    expect(problems({ MCP_OAUTH_SCOPES: 'mcp' })).toEqual(['MCP_SERVER_API_KEY', 'MCP_OAUTH_ISSUER']);
  });

  test.each([
    ['MCP_OAUTH_ISSUER', 'login.example.com'],
    ['MCP_OAUTH_ISSUER', 'http://login.example.com'],
    ['MCP_OAUTH_ISSUER', 'https://login.example.com/?tenant=1'],
    ['MCP_OAUTH_ISSUER', 'https://user@login.example.com/'],
    ['MCP_OAUTH_JWKS_URL', 'keys.json'],
    ['MCP_OAUTH_AUDIENCE', ',,'],
    ['MCP_OAUTH_AUDIENCE', 'two words'],
    ['MCP_OAUTH_SCOPES', 'a"b'],
    ['MCP_OAUTH_LIMITS_CLAIM', 'two words'],
  ])('rejects %s=%s', (variable, value) => {
    const loaded = loadConfig({ ...REQUIRED, ...OAUTH, [variable]: value });
    expect(loaded).toMatchObject({ ok: false, problems: [{ variable, problem: expect.not.stringContaining(value) }] });
  });
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
    ['MEDIA_STORE', 'gcs'],
    ['MEDIA_PATH_PREFIX', '../other'],
    ['MEDIA_DIR', '~/media'],
    ['S3_ENDPOINT', 'minio:9000'],
    ['S3_REGION', 'eu central'],
    ['S3_BUCKET', 'Media'],
    ['S3_READ_HOURS', '169'],
    ['MODEL_PRICES', '[]'],
    ['MODEL_PRICES', '{"a": 5}'],
    ['MODEL_PRICES', '{"a": "a"}'],
    ['MODEL_PRICES', '{"a": "b", "b": "gpt-4o"}'],
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

test('a second upstream needs a server that can be used; all problems are named at once', () => {
  const openai = 'https://api.openai.com/v1';
  const env = {
    OPENAI_CHAT_FALLBACK_API_KEY: 'k',
    OPENAI_IMAGE_FALLBACK_MODEL: 'm',
    OPENAI_AUDIO_FALLBACK_BASE_URL: openai,
    OPENAI_VIDEO_FALLBACK_BASE_URL: openai,
    OPENAI_TRANSCRIPTION_FALLBACK_BASE_URL: 'http://localhost:1234/v1',
  };
  expect(problems({ ...REQUIRED, ...env })).toEqual([
    'OPENAI_CHAT_FALLBACK_BASE_URL',
    'OPENAI_IMAGE_FALLBACK_BASE_URL',
    'OPENAI_AUDIO_FALLBACK_API_KEY',
    'OPENAI_VIDEO_FALLBACK_BASE_URL',
  ]);
});

test('the key of a second upstream is a secret', () => {
  const key = 'key-of-the-second-upstream';
  expect(load({ OPENAI_CHAT_FALLBACK_BASE_URL: 'https://second.example.com/v1', OPENAI_CHAT_FALLBACK_API_KEY: key }).secrets).toContain(
    key,
  );
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
    ['S3_BUCKET_NAME', 'S3_BUCKET'],
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
    store: {
      kind: 'azure',
      account: { accountName: 'devstoreaccount1' },
      container: 'media',
      publicBaseUrl: 'https://cdn.example.com/media',
    },
    media: { pathPrefix: 'team/a', roots: { image: 'images', audio: 'audio', video: 'videos' }, readHours: undefined },
  });
});

test('partial storage settings are valid and report what is missing', () => {
  expect(load({ AZURE_BLOB_CONTAINER: 'media' }).storage).toEqual({
    configured: false,
    missing: ['AZURE_STORAGE_CONNECTION_STRING', 'AZURE_BLOB_PUBLIC_BASE_URL'],
  });
});

describe('MEDIA_STORE=s3', () => {
  const S3 = {
    MEDIA_STORE: 'S3',
    S3_ENDPOINT: 'https://0123.r2.cloudflarestorage.com/',
    S3_BUCKET: 'media',
    S3_ACCESS_KEY_ID: 'id',
    S3_SECRET_ACCESS_KEY: 'the-secret-access-key',
  };

  test('is a private bucket, whose links last as long as possible', () => {
    const { storage, secrets, jobs } = load({ ...S3, MEDIA_PATH_PREFIX: '/team/a/' });
    expect(storage).toMatchObject({
      configured: true,
      store: { kind: 's3', endpoint: 'https://0123.r2.cloudflarestorage.com', bucket: 'media', publicBaseUrl: undefined },
      media: { pathPrefix: 'team/a', roots: { image: 'images' }, readHours: 168 },
      keepsState: true,
    });
    expect(secrets).toContain('the-secret-access-key');
    expect(jobs.secrets).toEqual(['the-secret-access-key']);
    expect(load({ ...S3, S3_READ_HOURS: '2' }).storage).toMatchObject({ media: { readHours: 2 } });
  });

  test('has temporary credentials with a session token, which is secret, and warns that state ends with them', () => {
    const temporary = { ...S3, S3_SESSION_TOKEN: 'the/session+token==' };
    const { storage, secrets } = load(temporary);
    expect(storage).toMatchObject({ store: { sessionToken: 'the/session+token==' } });
    expect(secrets).toContain('the/session+token==');
    const STATE_SECRET = 's'.repeat(32);
    const warned = (env: object) => loadConfig({ ...REQUIRED, ...env }).warnings.map(({ variable }) => variable);
    expect([warned(temporary), warned({ ...temporary, STATE_SECRET }), warned(S3)]).toEqual([
      expect.arrayContaining(['STATE_SECRET']),
      expect.not.arrayContaining(['STATE_SECRET']),
      expect.not.arrayContaining(['STATE_SECRET']),
    ]);
    expect(problems({ ...REQUIRED, ...S3, S3_SESSION_TOKEN: 'two words' })).toEqual(['S3_SESSION_TOKEN']);
  });

  test('is a public bucket with S3_PUBLIC_BASE_URL, where nothing is signed', () => {
    const S3_PUBLIC_BASE_URL = 'https://media.example.com/';
    expect(load({ ...S3, S3_PUBLIC_BASE_URL }).storage).toMatchObject({
      store: { publicBaseUrl: 'https://media.example.com' },
      media: { readHours: undefined },
    });
    expect(problems({ ...REQUIRED, ...S3, S3_PUBLIC_BASE_URL, S3_READ_HOURS: '2' })).toEqual(['S3_READ_HOURS']);
  });

  test.each([
    [`${S3.S3_ENDPOINT}media`, 'https://0123.r2.cloudflarestorage.com'],
    ['https://media.s3.eu-central-1.amazonaws.com/', 'https://s3.eu-central-1.amazonaws.com'],
    ['https://s3.eu-central-1.amazonaws.com/media', 'https://s3.eu-central-1.amazonaws.com'],
    ['https://media.s3.example.com', 'https://media.s3.example.com'],
  ])('takes an endpoint as dashboards show it: %s is %s', (S3_ENDPOINT, endpoint) => {
    expect(load({ ...S3, S3_ENDPOINT }).storage).toMatchObject({ store: { endpoint } });
  });

  test('reports what is missing, and ignores what is there for Azure', () => {
    const missing = ['S3_BUCKET', 'S3_SECRET_ACCESS_KEY'];
    expect(load({ ...STORAGE, ...S3, S3_BUCKET: '', S3_SECRET_ACCESS_KEY: '' }).storage).toEqual({ configured: false, missing });
  });

  test('must be stated: a bucket without it is a warning', () => {
    const { warnings } = loadConfig({ ...REQUIRED, ...S3, MEDIA_STORE: '' });
    expect(warnings).toContainEqual({ variable: 'S3_BUCKET', problem: 'is not read unless MEDIA_STORE is s3' });
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

describe('several keys', () => {
  const DIGEST = 'a1'.repeat(32);
  const keyOf = (name: string) => `key-of-${name}-${'x'.repeat(24)}`;
  const strong = keyOf('alice');
  const load = (keys: unknown, env: Record<string, string> = {}, options = {}) => {
    const MCP_SERVER_API_KEYS = typeof keys === 'string' ? keys : JSON.stringify(keys);
    return loadConfig({ MCP_SERVER_API_KEYS, ...env }, { rejectWeakKey: true, ...options });
  };
  const clientsOf = (...args: Parameters<typeof load>) => {
    const loaded = load(...args);
    if (!loaded.ok) throw new Error(JSON.stringify(loaded.problems));
    return loaded.config.clients.keys;
  };
  const problemsOf = (...args: Parameters<typeof load>) => {
    const loaded = load(...args);
    return loaded.ok ? [] : loaded.problems.map(({ variable, problem }) => `${variable} ${problem}`);
  };

  test('as JSON, with limits that name all of a principal', () => {
    const limits = { tools: ['chat_completion'], budgetUsdPerDay: 5, callsPerMinute: 60, concurrentCalls: 8 };
    const stated = { tools: limits.tools, budget_usd_per_day: 5, calls_per_minute: 60, concurrent_calls: 8 };
    const principal = { id: 'alice@example.com', name: 'alice@example.com', limits };
    expect(
      clientsOf({
        'alice@example.com': [{ key: strong, ...stated, expires: '2027-01-31' }, keyOf('new'), { sha256: DIGEST.toUpperCase() }],
        bob: { key: keyOf('bob'), expires: '2027-01-31T13:30:00+01:00' },
        carol: keyOf('carol'),
      }),
    ).toEqual([
      { principal, secret: { key: strong }, expiresMs: Date.UTC(2027, 1, 1) },
      { principal, secret: { key: keyOf('new') }, expiresMs: undefined },
      { principal, secret: { sha256: DIGEST }, expiresMs: undefined },
      { principal: { id: 'bob', name: 'bob', limits: {} }, secret: { key: keyOf('bob') }, expiresMs: Date.UTC(2027, 0, 31, 12, 30) },
      { principal: { id: 'carol', name: 'carol', limits: {} }, secret: { key: keyOf('carol') }, expiresMs: undefined },
    ]);
  });

  test('as a list, in which a name may be repeated and keys may have colons', () => {
    const found = clientsOf(`alice:${strong}, bob:${keyOf('b:b')},alice:${keyOf('new')},`);
    expect(found.map(({ principal, secret }) => [principal.id, secret])).toEqual([
      ['alice', { key: strong }],
      ['alice', { key: keyOf('new') }],
      ['bob', { key: keyOf('b:b') }],
    ]);
  });

  test('the single key is one of the principal default', () => {
    const MCP_SERVER_API_KEY = keyOf('single');
    const found = clientsOf({ default: { key: strong, concurrent_calls: 2 } }, { MCP_SERVER_API_KEY });
    expect(found.map(({ principal, secret }) => [principal, secret])).toEqual(
      [MCP_SERVER_API_KEY, strong].map((key) => [{ id: 'default', name: 'default', limits: { concurrentCalls: 2 } }, { key }]),
    );
  });

  test('the defaults hold for every principal that does not state its own', () => {
    const MCP_PRINCIPAL_DEFAULTS = JSON.stringify({ tools: ['list_media', 'list_media'], budget_usd_per_day: 1 });
    const env = { MCP_PRINCIPAL_DEFAULTS, MCP_SERVER_API_KEY: keyOf('single') };
    const found = clientsOf({ alice: { key: strong, budget_usd_per_day: 0 } }, env);
    expect(found.map(({ principal }) => principal.limits)).toEqual([
      { tools: ['list_media'], budgetUsdPerDay: 1 },
      { tools: ['list_media'], budgetUsdPerDay: 0 },
    ]);
    // As Workers bind JSON variables.
    const bound = loadConfig({ MCP_SERVER_API_KEY: strong, MCP_PRINCIPAL_DEFAULTS: { concurrent_calls: 1 } });
    expect(bound.ok && bound.config.clients.defaults).toEqual({ concurrentCalls: 1 });
  });

  test('all keys in clear are secrets', () => {
    const loaded = load({ alice: [strong, { sha256: DIGEST }], bob: keyOf('bob') });
    expect(loaded.ok && loaded.config.secrets).toEqual([strong, keyOf('bob')]);
  });

  test('every problem is reported at once, by name and field and never by value', () => {
    const found = problemsOf(
      {
        alice: { key: 'secret key', budget_usd_per_day: -1, calls_per_minute: 1.5, concurrent_calls: '8', expires: '2027-02-30' },
        bob: [{ sha256: 'secret' }, { tools: ['secret', 'generate_imag'] }],
        carol: { key: strong, sha256: DIGEST, tools: [], buget_usd_per_day: 1, 'secret-1': 2 },
        'secret name': keyOf('x'),
        [DIGEST]: keyOf('y'),
        'swapped-xYz7b3Qm2kT9pLwR5vNcD8fGhJ4': keyOf('z'),
        dave: 5,
        erin: 'secret',
        frank: [],
        default: keyOf('single'),
        grace: keyOf('single'),
        heidi: [
          { key: keyOf('1'), calls_per_minute: 1 },
          { key: keyOf('2'), calls_per_minute: 2 },
        ],
      },
      { MCP_SERVER_API_KEY: keyOf('single'), MCP_PRINCIPAL_DEFAULTS: '{"tools": ["secret"], "expires": "secret"}', PORT: 'secret' },
    );
    expect(found).toEqual([
      expect.stringMatching(/^MCP_PRINCIPAL_DEFAULTS tools\[0\] is not a tool; the tools are chat_completion, /),
      expect.stringMatching(/^MCP_PRINCIPAL_DEFAULTS expires is not known; the fields are tools, /),
      expect.stringMatching(/^PORT must be/),
      expect.stringMatching(/^MCP_SERVER_API_KEYS has an entry 4 whose name is not /),
      expect.stringMatching(/^MCP_SERVER_API_KEYS has an entry 5 whose name is not .* or looks like a key$/),
      expect.stringMatching(/^MCP_SERVER_API_KEYS has an entry 6 whose name is not .* or looks like a key$/),
      'MCP_SERVER_API_KEYS for frank: there are no keys',
      'MCP_SERVER_API_KEYS for alice: key must be 1 to 4000 visible ASCII characters without spaces',
      'MCP_SERVER_API_KEYS for alice: expires must be a date such as 2027-01-31, or a time such as 2027-01-31T12:00:00Z',
      'MCP_SERVER_API_KEYS for alice: budget_usd_per_day must be a number from 0 to 1000000',
      'MCP_SERVER_API_KEYS for alice: calls_per_minute must be a whole number from 1 to 1000000',
      'MCP_SERVER_API_KEYS for alice: concurrent_calls must be a whole number from 1 to 1000000',
      'MCP_SERVER_API_KEYS for bob, key 1: sha256 must be the SHA-256 digest of a key: 64 hexadecimal digits',
      expect.stringMatching(/^MCP_SERVER_API_KEYS for bob, key 2: tools\[0\] is not a tool; the tools are /),
      'MCP_SERVER_API_KEYS for bob, key 2: tools[1] is not a tool; did you mean generate_image?',
      'MCP_SERVER_API_KEYS for bob, key 2: must have either key or sha256',
      'MCP_SERVER_API_KEYS for carol: tools must name at least one tool',
      'MCP_SERVER_API_KEYS for carol: buget_usd_per_day is not known; did you mean budget_usd_per_day?',
      expect.stringMatching(/^MCP_SERVER_API_KEYS for carol: a field is not known; the fields are key, sha256, expires, tools, /),
      'MCP_SERVER_API_KEYS for carol: must have either key or sha256',
      'MCP_SERVER_API_KEYS for dave: must be a key, an object with a key, or an array of these',
      'MCP_SERVER_API_KEYS gives default and grace the same key',
      'MCP_SERVER_API_KEYS for heidi: calls_per_minute differs between its keys',
      expect.stringMatching(/^MCP_SERVER_API_KEYS for erin: the key is shorter than 24 characters, .*MCP_ALLOW_WEAK_KEY=1$/),
    ]);
    expect(found.join()).not.toMatch(/secret|x{24}|a1a1/);
  });

  test.each([
    ['{"alice": "secret', 'must be a JSON object'],
    ['{}', 'has no keys'],
    [`{"alice": "${strong}", "alice": "${keyOf('new')}"}`, 'has alice more than once; put its keys into an array'],
    [`{"alice": {"key": "${strong}", "key": "${keyOf('a\\"{')}"}}`, 'for alice: a field is stated more than once'],
    [`alice:${strong},secret`, 'has an entry 2 that is not name:key'],
    [`alice:${strong},${DIGEST}:bob`, expect.stringMatching(/^has an entry 2 whose name/)],
    [`alice:${strong},bob:`, 'for bob: key must be 1 to 4000 visible ASCII characters without spaces'],
  ])('%s', (text, problem) => {
    expect(load(text)).toEqual({ ok: false, problems: [{ variable: 'MCP_SERVER_API_KEYS', problem }], warnings: [] });
  });

  test('a weak one is a warning where the operator insists', () => {
    const loaded = load({ alice: 'short', bob: strong }, { MCP_ALLOW_WEAK_KEY: '1' });
    expect(loaded).toMatchObject({
      ok: true,
      warnings: [{ variable: 'MCP_SERVER_API_KEYS', problem: expect.stringMatching(/^for alice: /) }],
    });
  });

  test('those that have expired or soon will are warnings', () => {
    const nowMs = Date.UTC(2027, 0, 15);
    const expiring = (expires: string) => ({ key: keyOf(expires), expires });
    const loaded = load(
      {
        past: expiring('2027-01-14'),
        today: expiring('2027-01-15'),
        soon: [strong, expiring('2027-01-29T00:00:00Z')],
        later: expiring('2027-01-29'),
      },
      {},
      { nowMs },
    );
    expect(loaded.warnings).toEqual(
      ['past: the key has expired', 'today: the key expires within 14 days', 'soon, key 2: the key expires within 14 days'].map(
        (problem) => ({ variable: 'MCP_SERVER_API_KEYS', problem: `for ${problem}` }),
      ),
    );
  });
});

describe('where media goes', () => {
  const load = (env: Record<string, string>, ownStore?: 'file' | 'r2') => loadConfig({ ...REQUIRED, ...env }, { ownStore });
  const kindOf = (...args: Parameters<typeof load>) => {
    const loaded = load(...args);
    if (!loaded.ok) return loaded.problems;
    const { storage } = loaded.config;
    return storage.configured ? storage.store.kind : storage.missing;
  };
  const LOOPBACK = { HOST: '127.0.0.1' };
  const AZURE = ['AZURE_STORAGE_CONNECTION_STRING', 'AZURE_BLOB_CONTAINER', 'AZURE_BLOB_PUBLIC_BASE_URL'];
  const PUBLIC = { MCP_PUBLIC_URL: 'https://mcp.example.com' };

  test('is the store that the runtime has, unless Azure is configured; beyond loopback, the operator chooses', () => {
    expect(kindOf(LOOPBACK, 'file')).toBe('file');
    expect(kindOf({}, 'file')).toEqual(AZURE);
    expect(kindOf(LOOPBACK)).toEqual(AZURE);
    expect(kindOf({ ...LOOPBACK, AZURE_BLOB_CONTAINER: 'media' }, 'file')).toEqual([AZURE[0], AZURE[2]]);
    expect(kindOf({}, 'r2')).toBe('r2');
  });

  test('can be chosen, where it can be had', () => {
    expect(kindOf({ MEDIA_STORE: 'file', ...PUBLIC }, 'file')).toBe('file');
    expect(kindOf({ ...LOOPBACK, MEDIA_STORE: 'azure' }, 'file')).toEqual(AZURE);
    expect(kindOf({ MEDIA_STORE: 'file' }, 'file')).toEqual([
      { variable: 'MCP_PUBLIC_URL', problem: expect.stringContaining('is required when MEDIA_STORE is file') },
    ]);
    expect(kindOf({ MEDIA_STORE: 'file' }, 'r2')).toEqual([{ variable: 'MEDIA_STORE', problem: expect.stringContaining('only on Node') }]);
    expect(kindOf({ MEDIA_STORE: 'r2' }, 'file')).toEqual([
      { variable: 'MEDIA_STORE', problem: expect.stringContaining('only on Workers') },
    ]);
    expect(kindOf({ MEDIA_STORE: 'floppy' })).toEqual([
      { variable: 'MEDIA_STORE', problem: expect.stringContaining('azure, s3, r2, file') },
    ]);
  });

  test('R2 keeps state if there is a secret', () => {
    const keepsState = (env: Record<string, string>) => {
      const loaded = load(env, 'r2');
      return loaded.ok && loaded.config.storage.configured && [loaded.config.storage.keepsState, loaded.config.jobs.secrets];
    };
    const [key, secret] = ['k'.repeat(32), 's'.repeat(32)];
    expect(keepsState({ OPENAI_API_KEY: key })).toEqual([true, [key]]);
    expect(keepsState({ OPENAI_API_KEY: 'short' })).toEqual([false, []]);
    expect(keepsState({ OPENAI_API_KEY: 'short', STATE_SECRET: secret })).toEqual([true, [secret]]);
  });
});
