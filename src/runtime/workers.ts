import { waitUntil } from 'cloudflare:workers';
import type { Log } from '../log.ts';
import type { Runtime } from '../ports.ts';
import { createSharedRuntime } from './shared.ts';
import { type AnalyticsBinding, createAnalytics } from './workers-analytics.ts';
import { type BucketBinding, openBucket } from './workers-bucket.ts';
import { createShrinkImage, type ImagesBinding } from './workers-images.ts';
import { workersTracing } from './workers-tracing.ts';

/** Out of the 128 MB of an isolate. */
const MEDIA_MEMORY_BYTES = 48 * 1024 * 1024;

export type Bindings = Readonly<{
  IMAGES?: ImagesBinding | undefined;
  ANALYTICS?: AnalyticsBinding | undefined;
  MEDIA?: BucketBinding | undefined;
}>;

export function createWorkersRuntime(log: Log, { IMAGES: images, ANALYTICS: analytics, MEDIA: bucket }: Bindings = {}): Runtime {
  const shared = createSharedRuntime(log);
  return {
    ...shared,
    openBucket: bucket && ((links) => openBucket(bucket, shared, links)),
    sinks: analytics && [createAnalytics(analytics)],
    tracing: workersTracing,
    heartbeatMs: 500,
    lastByteMs: 250,
    sizedStream: (bytes) => new FixedLengthStream(bytes),
    waitUntil,
    bytesInit: (body) => ({ body }),
    // The platform limits them, and they cannot be counted here: a call whose client has disconnected may end unobserved.
    maxCalls: Number.POSITIVE_INFINITY,
    // The 30 s of waitUntil, plus a margin.
    lingerMs: 35_000,
    outlivesClients: false,
    maxJobs: 50,
    mediaMemoryBytes: MEDIA_MEMORY_BYTES,
    shrinkImage: createShrinkImage(images),
  };
}

/** For a Durable Object, whose work goes on without a client for as long as it takes. */
export function createObjectRuntime(runtime: Runtime, state: Pick<Runtime, 'waitUntil'>): Runtime {
  return { ...runtime, outlivesClients: true, lingerMs: Number.POSITIVE_INFINITY, waitUntil: (work) => state.waitUntil(work) };
}
