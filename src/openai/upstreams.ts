import type { OpenAI, ClientOptions as OpenAIOptions } from 'openai';
import type { UpstreamVariables } from '../errors.ts';
import type { Events } from '../events.ts';
import type { Clock } from '../ports.ts';
import type { Redact } from '../redact.ts';
import { boundErrorBodies } from './bound-error-bodies.ts';
import { inService } from './known-models.ts';
import { withTraceparent } from './observe.ts';

export const CAPABILITIES = ['chat', 'image', 'audio', 'video', 'transcription'] as const;
export type Capability = (typeof CAPABILITIES)[number];

/** The servers and models the operator has configured; `config.ts` parses them from the environment. */
export type OpenAISettings = Readonly<{
  apiKey: string | undefined;
  baseUrl: string;
  organization: string | undefined;
  project: string | undefined;
  models: Readonly<Record<Capability, string>>;
  /** Capabilities served by another OpenAI-compatible server. */
  overrides: Readonly<Partial<Record<Capability, Readonly<{ baseUrl: string; apiKey: string | undefined }>>>>;
  /** Other servers, for when the first refuses a call before it has begun. `model`: by default, that of the first. */
  fallbacks: Readonly<Partial<Record<Capability, Readonly<{ baseUrl: string; apiKey: string | undefined; model: string | undefined }>>>>;
  azure:
    | Readonly<{
        endpoint: string;
        apiKey: string;
        apiVersion: string;
        deployments: Readonly<Partial<Record<Capability, string | undefined>>>;
      }>
    | undefined;
}>;

type AzureSettings = NonNullable<OpenAISettings['azure']>;
/** Options common to all clients. */
type ClientOptions = ReturnType<typeof commonOptions>;
/** Passed to the constructor of every upstream. */
type Common = Readonly<{ options: ClientOptions }> & Pick<Upstream, 'clock' | 'redact' | 'events' | 'retriesNotStarted' | 'fallback'>;
type Provider = 'openai' | 'azure' | 'compatible';

/** Where a capability is served. */
export type Upstream = Readonly<{
  available: true;
  provider: Provider;
  /** How errors name it, for example "Azure OpenAI (contoso.openai.azure.com)". */
  service: string;
  endpointHost: string;
  /**
   * The model, or Azure deployment, used when a call names none. On api.openai.com, a retired one gives way to its
   * successor, by the date.
   */
  readonly model: string;
  /** The server and the key, for what depends on both. */
  account: string;
  /** Loads the client with the first call: that takes a quarter of the time to start. */
  client: () => Promise<OpenAI>;
  clock: Clock;
  /** Makes the upstream's text safe for clients and the log. */
  redact: Redact;
  /** Told when a request has ended. */
  events: Events;
  /**
   * Whether a call is retried when the server has not started it (429, 503). The client's own retries would repeat a
   * billed request after a timeout or a lost response. Images and videos are never sent twice.
   */
  retriesNotStarted: boolean;
  /** What the operator should check when it fails. */
  variables: UpstreamVariables;
  /** Asked when this one refuses a call before it has begun. `hasOwnModel`: whatever model the call names. */
  fallback?: Readonly<{ upstream: Upstream; hasOwnModel: boolean }> | undefined;
}>;

/** A capability without an upstream, and the variables the operator must set. */
type NoUpstream = Readonly<{
  available: false;
  provider: Provider;
  endpointHost: string;
  model: string;
  reason: string;
  variables: readonly string[];
}>;

export type Upstreams = Readonly<Record<Capability, Upstream | NoUpstream>>;

export type UpstreamRuntime = Clock & Readonly<{ fetch: typeof fetch; redact: Redact; events: Events }>;

/** Longer than any call; `callUpstream` sets the actual limits. */
const CLIENT_TIMEOUT_MS = 60 * 60_000;

/** Chooses a server and a model for each capability: its override first, then Azure, then OpenAI. */
export function createUpstreams(settings: OpenAISettings, runtime: UpstreamRuntime): Upstreams {
  const entries = CAPABILITIES.map((capability) => [capability, createUpstream(capability, settings, runtime)] as const);
  return Object.fromEntries(entries) as Record<Capability, Upstream | NoUpstream>;
}

function createUpstream(capability: Capability, settings: OpenAISettings, runtime: UpstreamRuntime): Upstream | NoUpstream {
  const model = settings.models[capability];
  const retriesNotStarted = capability === 'chat' || capability === 'audio' || capability === 'transcription';
  const shared = { options: commonOptions(runtime), clock: runtime, redact: runtime.redact, events: runtime.events, retriesNotStarted };
  const common = { ...shared, fallback: createFallback(capability, settings, shared) };
  const override = settings.overrides[capability];
  // The key and organization for OPENAI_BASE_URL are never sent to another server.
  if (override) return createPlainUpstream(capability, { ...override, prefix: `OPENAI_${capability.toUpperCase()}` }, model, common);
  if (settings.azure) return createAzureUpstream(capability, settings.azure, model, common);
  return createPlainUpstream(capability, { ...settings, prefix: 'OPENAI' }, model, common);
}

function createFallback(capability: Capability, settings: OpenAISettings, common: Common): Upstream['fallback'] {
  const fallback = settings.fallbacks[capability];
  if (!fallback) return undefined;
  const deployment = settings.overrides[capability] ? undefined : settings.azure?.deployments[capability];
  const model = fallback.model ?? deployment ?? settings.models[capability];
  const server = { ...fallback, prefix: `OPENAI_${capability.toUpperCase()}_FALLBACK` };
  const upstream = createPlainUpstream(capability, server, model, common);
  return upstream.available ? { upstream, hasOwnModel: fallback.model !== undefined } : undefined;
}

type PlainServer = Readonly<{
  baseUrl: string;
  apiKey: string | undefined;
  /** Prefix of its variables' names. */
  prefix: string;
  organization?: string | undefined;
  project?: string | undefined;
}>;

/** OpenAI itself, or a server that speaks its API. */
function createPlainUpstream(
  capability: Capability,
  { baseUrl, apiKey, prefix, organization, project }: PlainServer,
  model: string,
  { options, ...common }: Common,
): Upstream | NoUpstream {
  const provider = providerOf(baseUrl);
  const ownPrefix = prefix === 'OPENAI' ? `OPENAI_${capability.toUpperCase()}` : prefix;
  const variables = { key: `${prefix}_API_KEY`, baseUrl: `${prefix}_BASE_URL`, model: `${ownPrefix}_MODEL` };
  if (provider === 'openai' && capability === 'video') {
    const reason = 'OpenAI shut down its Videos API on 2026-09-24; set OPENAI_VIDEO_BASE_URL to a server that has one';
    return unavailable(provider, baseUrl, model, reason, ['OPENAI_VIDEO_BASE_URL']);
  }
  if (provider === 'openai' && !apiKey) return unavailable(provider, baseUrl, model, `${variables.key} is not set`, [variables.key]);
  const endpointHost = new URL(baseUrl).host;
  const service = provider === 'openai' ? `OpenAI (${endpointHost})` : `the OpenAI-compatible server ${endpointHost}`;
  const client = plainClient({
    ...options,
    ...keyOptions(apiKey),
    baseURL: baseUrl,
    organization: organization ?? null,
    project: project ?? null,
  });
  return {
    available: true,
    provider,
    service,
    endpointHost,
    get model() {
      return provider === 'openai' ? inService(model, common.clock.now()) : model;
    },
    account: `${baseUrl} ${apiKey}`,
    client,
    variables,
    ...common,
  };
}

function createAzureUpstream(
  capability: Capability,
  azure: AzureSettings,
  fallbackModel: string,
  { options, ...common }: Common,
): Upstream | NoUpstream {
  const model = azure.deployments[capability] ?? fallbackModel;
  if (capability === 'video') {
    return unavailable(
      'azure',
      azure.endpoint,
      model,
      'Azure OpenAI has no videos endpoint; set OPENAI_VIDEO_BASE_URL to a server that has one',
      ['OPENAI_VIDEO_BASE_URL'],
    );
  }
  const endpointHost = new URL(azure.endpoint).host;
  return {
    available: true,
    provider: 'azure',
    service: `Azure OpenAI (${endpointHost})`,
    endpointHost,
    model,
    account: `${azure.endpoint} ${azure.apiKey}`,
    client: azure.apiVersion === 'v1' ? azureV1Client(azure, options) : azureDatedClient(azure, options),
    ...common,
    variables: {
      key: 'AZURE_OPENAI_API_KEY',
      baseUrl: 'AZURE_OPENAI_ENDPOINT',
      model: `AZURE_OPENAI_${capability.toUpperCase()}_DEPLOYMENT`,
    },
  };
}

/** The dated API, with the deployment in the path. The client derives the path from each request's `model`. */
function azureDatedClient(azure: AzureSettings, options: ClientOptions): Upstream['client'] {
  return once(async () => {
    const { createAzureClient } = await import('./clients.ts');
    return createAzureClient({
      ...options,
      endpoint: azure.endpoint,
      apiKey: azure.apiKey,
      apiVersion: azure.apiVersion,
      // Otherwise the client reads OPENAI_BASE_URL, OPENAI_ORG_ID and OPENAI_PROJECT_ID from the environment.
      baseURL: null,
      organization: null,
      project: null,
    });
  });
}

/** The v1 API: OpenAI's paths, with the deployment as `model` and the key in Azure's header. */
function azureV1Client(azure: AzureSettings, options: ClientOptions): Upstream['client'] {
  return plainClient({
    ...options,
    apiKey: azure.apiKey,
    baseURL: `${azure.endpoint}/openai/v1`,
    organization: null,
    project: null,
    defaultHeaders: { 'api-key': azure.apiKey, Authorization: null },
  });
}

function plainClient(options: OpenAIOptions): Upstream['client'] {
  return once(async () => {
    const { createClient } = await import('./clients.ts');
    return createClient(options);
  });
}

/** Remembers what is made, not its promise: on Workers, one request cannot await what another has begun. */
function once<Value>(make: () => Promise<Value>): () => Promise<Value> {
  let made: Value | undefined;
  return async () => {
    made ??= await make();
    return made;
  };
}

function commonOptions(runtime: UpstreamRuntime) {
  return {
    fetch: boundErrorBodies(withTraceparent(runtime.fetch, runtime.events), runtime),
    // Following a redirect would send Azure's `api-key` header to another host.
    fetchOptions: { redirect: 'manual' as const },
    maxRetries: 0,
    timeout: CLIENT_TIMEOUT_MS,
    logLevel: 'off' as const,
    adminAPIKey: null,
    webhookSecret: null,
  };
}

/** A compatible server may need no key, but the client requires one, so its header is removed. */
function keyOptions(apiKey: string | undefined) {
  return apiKey ? { apiKey } : { apiKey: 'none', defaultHeaders: { Authorization: null } };
}

function unavailable(provider: Provider, baseUrl: string, model: string, reason: string, variables: readonly string[]): NoUpstream {
  return { available: false, provider, endpointHost: new URL(baseUrl).host, model, reason, variables };
}

/** OpenAI itself is api.openai.com and its regional hosts, such as eu.api.openai.com. */
export function providerOf(baseUrl: string): Provider {
  const { hostname } = new URL(baseUrl);
  return hostname === 'api.openai.com' || hostname.endsWith('.api.openai.com') ? 'openai' : 'compatible';
}
