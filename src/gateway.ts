import packageJson from '../package.json' with { type: 'json' };
import { createAdmission, createMemory, type Memory, reservedBytes } from './admission.ts';
import { createAccessTokenVerifier, type OAuthSettings, type VerifyAccessToken } from './auth/access-token.ts';
import { verifyKeys } from './auth/keys.ts';
import type { Principal, VerifyToken } from './auth/principal.ts';
import { createBlobStore } from './azure/blob-store.ts';
import type { Config, ConfigProblem } from './config.ts';
import { createEventLog, stackOf } from './event-log.ts';
import { createEvents, type Events } from './events.ts';
import { createDayIndex } from './jobs/day-index.ts';
import { createHistory } from './jobs/history.ts';
import { createJobs, type JobOutcome, type Jobs, type JobsOptions } from './jobs/jobs.ts';
import type { LostJob } from './jobs/live-jobs.ts';
import { createSealedStore, type SealedStore } from './jobs/sealed-store.ts';
import { MAX_INPUT_IMAGES_BYTES } from './limits.ts';
import type { Log } from './log.ts';
import { type CompiledTool, compileTool, type Mask } from './mcp/compile-tool.ts';
import { createServerFactory, type McpServerFactory } from './mcp/server.ts';
import { openSseSession } from './mcp/sse-session.ts';
import type { OpenSseSession } from './mcp/sse-sessions.ts';
import { createStreamableHttp, type StreamableHttp } from './mcp/streamable-http.ts';
import { type InputRequest, readInput, readInputImage } from './media/input-file.ts';
import { createMediaStore, createMissingMediaStore, type MediaStore } from './media/media-store.ts';
import type { ObjectStore } from './media/object-store.ts';
import { createPieceStore } from './media/piece-store.ts';
import { renewLinks } from './media/renew-links.ts';
import { createServedMedia, type ServedMedia } from './media/served-media.ts';
import { createUploads, type Uploads } from './media/uploads.ts';
import { downloadImage } from './media/upstream-image.ts';
import { MEDIA_PATH } from './media-path.ts';
import { createModelCatalog } from './openai/model-catalog.ts';
import { CAPABILITIES, createUpstreams, type Upstream, type Upstreams } from './openai/upstreams.ts';
import { createOwnUrl, type OwnUrl, urlOfAddress } from './own-url.ts';
import type { Folder, Load, Runtime } from './ports.ts';
import { createMask, createRedactor } from './redact.ts';
import { createS3Store } from './s3/s3-store.ts';
import { createStateKeys, type StateKeys } from './state-key.ts';
import { tools } from './tools/index.ts';
import type { Tool, ToolServices } from './tools/tool.ts';
import { type Budgets, createBudgets } from './usage/budgets.ts';
import { createCharge } from './usage/charge.ts';
import { createLedger, type Ledger } from './usage/ledger.ts';
import type { Pace } from './usage/pace.ts';
import { createPrices } from './usage/prices.ts';
import type { UsageBook } from './usage/usage-book.ts';
import { dateOf } from './utc-day.ts';

/** The components behind the routes. */
export type Gateway = Readonly<{
  server: Config['server'];
  runtime: Runtime;
  verifyToken: VerifyToken;
  /** `undefined` where clients cannot sign in. */
  signIn: Readonly<{ oauth: OAuthSettings; verify: VerifyAccessToken }> | undefined;
  /** Creates a server for a connection of one principal. */
  createServer: McpServerFactory['createServer'];
  streamableHttp: StreamableHttp;
  openSseSession: OpenSseSession;
  events: Events;
  /** What `/metrics` shows of this moment. */
  load: () => Load;
  /** The number of running tool calls, including those whose client has disconnected. */
  callsInFlight: () => number;
  /** Stores the body of a request to an upload's URL. */
  receiveFile: Uploads['receive'];
  served: Parts['served'];
  placeOf: McpServerFactory['placeOf'];
  /** `undefined` where no state can be stored. */
  jobs: Jobs | undefined;
  pace: Pace;
  budgets: Budgets;
  /** What was used, by the day. */
  book: UsageBook;
  /** Writes what has been spent and used, before the process ends. */
  close: () => Promise<void>;
}>;

/** A capability, or storage: whether it can be used, and with what, or why not. */
export type Feature = Readonly<{ name: string; isAvailable: boolean; detail: string }>;

export const VERSION = packageJson.version;

const { name, description, homepage }: { name: string; description: string; homepage?: string } = packageJson;

/** The public description of the gateway. */
export const ABOUT = {
  name,
  title: 'OpenAI MCP Gateway',
  version: VERSION,
  description,
  homepage,
  tools: tools.map(({ name, title, description }) => ({ name, title, description })),
};

const HOUR_MS = 3_600_000;

const INSTRUCTIONS =
  'Tools for OpenAI models, through a gateway. Media is stored and returned as URLs. Calls are billed to the team that runs the gateway: do not repeat a call that may have succeeded. list_supported_models is free and lists what is available.';

/** What all jobs and sessions of a process or an isolate share. */
export type Parts = Readonly<{
  config: Config;
  events: Events;
  services: Omit<ToolServices, 'admission' | 'uploads' | 'history'>;
  /** Derived from the secrets for state. */
  keys: StateKeys;
  /** For media in flight, in every job and session. */
  memory: Memory;
  tools: readonly CompiledTool[];
  mask: Mask;
  /** The records of jobs, and of what they have made; `undefined` when storage is not configured. */
  sealed: Readonly<{ jobs: SealedStore; index: SealedStore; usage: SealedStore }> | undefined;
  /** The media that the gateway itself serves; `undefined` where a store does. */
  served: ServedMedia | undefined;
  ownUrl: OwnUrl;
  features: readonly Feature[];
}>;

/** The composition root: wires the components from the configuration. */
export function createGateway(config: Config, runtime: Runtime): Gateway & Pick<Parts, 'features'> {
  const parts = createParts(config, runtime);
  return { ...assemble(parts, runtime), features: parts.features };
}

/** Everything without state of its own. */
export function createParts(config: Config, runtime: Runtime): Parts {
  const ownUrl = createOwnUrl(config.server.publicUrl);
  const { store, media, served, stateSecret } = createStorage(config, ownUrl, runtime);
  const ownSecrets = [stateSecret?.()].filter((secret) => secret !== undefined);
  const stateSecrets = [...config.jobs.secrets, ...ownSecrets];
  const secrets = [...config.secrets, ...ownSecrets];
  if (stateSecret && stateSecrets.length === 0) runtime.log.warn('state_unavailable', { variable: 'MEDIA_DIR' });
  const keys = createStateKeys(stateSecrets);
  const events = createEvents(createEventLog(runtime), runtime);
  const sealed = stateSecrets.length > 0 ? createState(config, store, keys) : undefined;
  const inputs = {
    allowedHosts: config.inputHosts,
    isOwn: media.isOwn,
    fetch: async (url: string, init: RequestInit) =>
      (await served?.respond(url)) ?? (media.isOwn(url) ? runtime.fetch : runtime.fetchPublic)(url, init),
    clock: runtime,
  };
  const services = {
    upstreams: createUpstreams(config.openai, { ...runtime, events, redact: createRedactor(secrets) }),
    models: createModelCatalog(runtime, runtime.waitUntil),
    prices: createPrices(config.prices),
    media,
    pieces: store && sealed && createPieceStore(store, sealed.jobs.namesOf),
    downloadImage: (url: string, upstream: Upstream) =>
      downloadImage(url, { runtime, allowedHosts: [upstream.endpointHost, ...config.downloadHosts] }),
    readInput: (request: InputRequest, signal: AbortSignal) => readInput(request, signal, inputs),
    readInputImage: (request: InputRequest, signal: AbortSignal) => readInputImage(request, signal, inputs),
    maxInputBytes: Math.min(MAX_INPUT_IMAGES_BYTES, runtime.mediaMemoryBytes / 4),
    shrinkImage: runtime.shrinkImage,
    logInfo: runtime.log.info,
    clock: runtime,
  };
  const mask = createMask(secrets.filter((secret) => secret !== shownInLinks(config)));
  const compileOptions = {
    mask,
    defaultWaitMs: config.jobs.defaultWaitSeconds * 1000,
    storePrompts: config.jobs.storePrompts,
    inlinePreview: config.server.inlinePreview,
  };
  return {
    config,
    events,
    services,
    keys,
    memory: createMemory(runtime.mediaMemoryBytes),
    tools: (tools as readonly Tool[]).map((tool) => compileTool(tool, compileOptions)),
    mask,
    sealed,
    served,
    ownUrl,
    features: findFeatures(services.upstreams, media),
  };
}

export type AssembleOptions = Readonly<{
  /** Told where the records of the running jobs are. */
  onJobsChange?: JobsOptions['onChange'];
  /** By default, that of a process: see `createLedger`. */
  ledger?: Ledger | undefined;
}>;

/**
 * Adds what lives in one place: the jobs, and the server whose calls start them. On Workers, that is one Durable Object:
 * what waits for I/O cannot be shared.
 */
export function assemble(
  { config, events, services: shared, keys, memory, tools, mask, sealed, served, ownUrl }: Parts,
  runtime: Runtime,
  { onJobsChange, ledger: given }: AssembleOptions = {},
): Gateway {
  const { log } = runtime;
  const admission = createAdmission(memory, runtime.lingerMs, runtime);
  const uploads = createUploads({
    media: shared.media,
    keys,
    admission,
    maxInputBytes: shared.maxInputBytes,
    onKnown: ownUrl.learn,
    runtime,
  });
  const index = sealed && createDayIndex(sealed.index, runtime);
  const ledger = given ?? createLedger(sealed?.usage, async (place, id) => (jobs ? jobs.outcomeOf(place, id) : NO_OUTCOME), runtime);
  const { accounts, book, pace } = ledger;
  const budgets = createBudgets(accounts, config.budgetUsdPerDay, runtime);
  const services = { ...shared, admission, uploads, history: index && createHistory(index, runtime) };
  const jobs =
    sealed &&
    index &&
    createJobs({
      sealed: sealed.jobs,
      index,
      runtime,
      events,
      retentionMs: config.jobs.retentionHours * HOUR_MS,
      maxJobs: config.jobs.maxJobs ?? runtime.maxJobs,
      renewLinks: (output) => renewLinks(output, services.media),
      mask,
      onChange: onJobsChange,
      onInterrupted: (lost) => addLost(book, lost),
    });
  const factory = createServerFactory({
    info: { name: ABOUT.name, title: ABOUT.title, version: VERSION },
    instructions: INSTRUCTIONS,
    tools,
    services,
    jobs,
    charge: createCharge(budgets, book, runtime),
    pace,
    waitUntil: runtime.waitUntil,
    mask,
    resourceLinks: config.server.resourceLinks,
    events,
  });
  const mcp = serveMcp(factory, { config, ownUrl }, runtime, jobs);
  const callsInFlight = () => mcp.callsInFlight() + uploads.inFlight() + accounts.inFlight() + book.inFlight();
  return {
    ...mcp,
    served,
    events,
    pace,
    budgets,
    book,
    close: async () => {
      await Promise.all([accounts.close(), book.close()]);
    },
    signIn: config.oauth && { oauth: config.oauth, verify: createAccessTokenVerifier(config.oauth, runtime, config.clients.defaults) },
    callsInFlight,
    load: () => ({
      callsInFlight: callsInFlight(),
      jobsRunning: jobs?.running() ?? 0,
      memoryReservedBytes: reservedBytes(memory, runtime),
    }),
    receiveFile: receiveAndNote(uploads, jobs, log),
  };
}

/** Without records there are no jobs to be settled by them. */
const NO_OUTCOME: JobOutcome = { state: 'ended', usd: undefined };

function addLost(book: UsageBook, { principalId, tool, startedMs, costUsd = 0 }: LostJob): void {
  const nothing = { input_tokens: 0, output_tokens: 0, files: 0, bytes: 0 };
  const lost = { principal: principalId, name: principalId, tool, model: '', calls: 1, failures: 1 };
  book.add(dateOf(startedMs), { ...lost, ...nothing, cost_usd: costUsd });
}

/** Uploads are listed as what their principal has made. */
function receiveAndNote({ receive }: Uploads, jobs: Jobs | undefined, log: Log): Uploads['receive'] {
  return async (token, request) => {
    const received = await receive(token, request);
    const { id, owner, startedMs, file } = received;
    const { url, contentType: content_type, bytes } = file;
    log.info('upload', { principal: owner.name, upload: id, content_type, bytes });
    jobs?.note(owner, 'create_upload', startedMs, { url, content_type, bytes });
    return received;
  };
}

/** `undefined` where records could not be read back. */
function createState({ storage }: Config, store: ObjectStore | undefined, keys: StateKeys): Parts['sealed'] {
  if (!storage.configured || !store || !storage.keepsState) return undefined;
  const { pathPrefix } = storage.media;
  const createIn = (folder: 'state' | 'history' | 'usage') => createSealedStore(store, { keys, pathPrefix, folder });
  return { jobs: createIn('state'), index: createIn('history'), usage: createIn('usage') };
}

type Storage = Readonly<{
  store: ObjectStore | undefined;
  media: MediaStore;
  served?: ServedMedia;
  /** What a store keeps for those who have set no secret. */
  stateSecret?: Folder['stateSecret'];
}>;

function createStorage({ storage, server }: Config, ownUrl: OwnUrl, runtime: Runtime): Storage {
  if (!storage.configured) return { store: undefined, media: createMissingMediaStore(storage.missing) };
  const withMedia = <Store extends ObjectStore>(store: Store) => ({ store, media: createMediaStore(store, storage.media, runtime) });
  switch (storage.store.kind) {
    case 'azure':
      return withMedia(createBlobStore(storage.store, runtime));
    case 's3':
      return withMedia(createS3Store(storage.store, runtime));
    case 'file': {
      if (!runtime.openFolder) throw new Error('This runtime has no folders.');
      const { store, stateSecret } = runtime.openFolder(
        storage.store.dir,
        server.isServed ? `${server.publicUrl ?? urlOfAddress(server)}${MEDIA_PATH}` : undefined,
      );
      return { ...withMedia(store), served: createServedMedia(store, storage.media), stateSecret };
    }
    case 'r2': {
      if (!runtime.openBucket) throw new Error('This runtime has no bucket.');
      const { publicBaseUrl } = storage.store;
      if (publicBaseUrl !== undefined)
        return withMedia(runtime.openBucket({ publicBaseUrls: () => [publicBaseUrl], remedy: DOMAIN_REMEDY }));
      const publicBaseUrls = () => ownUrl.all().map((url) => `${url}${MEDIA_PATH}`);
      const store = runtime.openBucket({ publicBaseUrls, remedy: undefined });
      return { ...withMedia(store), served: createServedMedia(store, storage.media) };
    }
  }
}

/** A presigned link has the token of temporary credentials, and without it, it could not be read. */
function shownInLinks({ storage }: Config): string | undefined {
  return storage.configured && storage.store.kind === 's3' ? storage.store.sessionToken : undefined;
}

const CHECK_DOMAIN = 'The operator should check MEDIA_PUBLIC_BASE_URL, and that the bucket is public there.';
const DOMAIN_REMEDY = { refused: CHECK_DOMAIN, signedRefused: CHECK_DOMAIN, unreachable: CHECK_DOMAIN };

function findFeatures(upstreams: Upstreams, { missing, publicOrigins }: MediaStore): Feature[] {
  const capabilities = CAPABILITIES.map((name) => {
    const upstream = upstreams[name];
    return {
      name,
      isAvailable: upstream.available,
      detail: upstream.available ? `${upstream.model}, ${upstream.service}` : upstream.reason,
    };
  });
  const isStored = missing.length === 0;
  return [
    ...capabilities,
    { name: 'storage', isAvailable: isStored, detail: isStored ? publicOrigins().map(hostOf).join(', ') : `${missing.join(', ')} not set` },
  ];
}

const hostOf = (origin: string) => new URL(origin).host;

/** Logs what an operator should know at start-up rather than discover through a failed call. */
export function logStart(features: readonly Feature[], warnings: readonly ConfigProblem[], log: Log): void {
  for (const { variable, problem } of warnings) log.warn('config_warning', { variable, problem });
  for (const { name, isAvailable, detail } of features) if (!isAvailable) log.info('unavailable', { capability: name, reason: detail });
}

/** Exposes an MCP server through its transports. */
function serveMcp(
  { createServer, placeOf, callsInFlight }: McpServerFactory,
  { config: { server, clients }, ownUrl }: Pick<Parts, 'config' | 'ownUrl'>,
  runtime: Runtime,
  jobs?: Jobs,
): Omit<Gateway, 'receiveFile' | 'signIn' | 'events' | 'load' | 'pace' | 'budgets' | 'book' | 'close' | 'served'> {
  const { heartbeatMs, lastByteMs, sizedStream, log } = runtime;
  const onError = (error: Error) => log.debug('mcp_error', { message: error.message });
  const onCancelled = async (principal: Principal, rpcId: string | number) => {
    const noted = jobs?.cancelled(principal, rpcId).catch(onError) ?? Promise.resolve();
    runtime.waitUntil(noted);
    await noted;
  };
  const onBug = (error: Error, requestId: string) => log.error('request_failed', { request_id: requestId, error: stackOf(error) });
  const options = { clock: runtime, heartbeatMs, lastByteMs, sizedStream, onError, onBug, onCancelled };
  const streamableHttp = createStreamableHttp(createServer, options);
  return {
    server,
    runtime,
    createServer,
    verifyToken: verifyKeys(clients.keys, runtime),
    streamableHttp(request, body, exchange) {
      ownUrl.learn(exchange.publicUrl);
      return streamableHttp(request, body, exchange);
    },
    async openSseSession(sessionId, onClose) {
      const session = await openSseSession({ sessionId, createServer, clock: runtime, heartbeatMs, onClose });
      const receive: typeof session.receive = (message, exchange) => {
        ownUrl.learn(exchange.publicUrl);
        return session.receive(message, exchange);
      };
      return { ...session, receive };
    },
    callsInFlight,
    placeOf,
    jobs,
  };
}
