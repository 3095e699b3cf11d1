import type { MediaStore } from '../media/media-store.ts';
import type { Clock } from '../ports.ts';

/** What the log says about a tool call. Never prompts, results or URLs. */
export type Measures = Readonly<
  Partial<{
    model: string;
    /** Waiting for the upstream; for images, until the last is read. */
    upstream_ms: number;
    /** Storing media; media that is stored as it arrives includes waiting for it. */
    upload_ms: number;
    input_tokens: number;
    output_tokens: number;
    /** Billed by the upstream for this call, as far as that is known. */
    cost_usd: number;
    images: number;
    /** Of video. */
    seconds: number;
    /** Of speech. */
    characters: number;
    /** Of long speech, made by this call. */
    pieces: number;
    /** Stored by this call. */
    bytes: number;
    blobs: readonly string[];
  }>
>;

export type Measure = (measures: Measures) => void;

/** Collects the measures of one call: numbers add up, lists grow, and a later text replaces an earlier one. */
export function createMeasures(): { collected: Measures; measure: Measure } {
  const collected: Record<string, unknown> = {};
  return {
    collected,
    measure(measures) {
      for (const [name, value] of Object.entries(measures)) collected[name] = merge(collected[name], value);
    },
  };
}

function merge(before: unknown, value: unknown): unknown {
  if (typeof before === 'number' && typeof value === 'number') return before + value;
  return Array.isArray(before) && Array.isArray(value) ? [...before, ...value] : value;
}

type Measuring = Readonly<{ clock: Pick<Clock, 'now'>; measure: Measure }>;

/** Measures the time an upstream takes, even when it fails. */
export function timeUpstream<Result>(context: Measuring, call: () => Promise<Result>): Promise<Result> {
  return timed(context, 'upstream_ms', call);
}

async function timed<Result>(
  { clock, measure }: Measuring,
  name: 'upstream_ms' | 'upload_ms',
  work: () => Promise<Result>,
): Promise<Result> {
  const startMs = clock.now();
  try {
    return await work();
  } finally {
    measure({ [name]: clock.now() - startMs });
  }
}

/** The media store, with its uploads measured. */
export function measureUploads(media: MediaStore, context: Measuring): MediaStore {
  async function upload(name: string, save: () => ReturnType<MediaStore['save']>) {
    context.measure({ blobs: [name] });
    const saved = await timed(context, 'upload_ms', save);
    context.measure({ bytes: saved.bytes });
    return saved;
  }
  return {
    ...media,
    save: (name, bytes, format, repeatable) => upload(name, () => media.save(name, bytes, format, repeatable)),
    saveStream: (name, source, format) => upload(name, () => media.saveStream(name, source, format)),
  };
}

/** The tokens in an upstream's `usage`: chat and images name them differently. */
export function tokensOf(usage: Record<string, unknown> = {}): Measures {
  const input = usage.input_tokens ?? usage.prompt_tokens;
  const output = usage.output_tokens ?? usage.completion_tokens;
  return { ...(isCount(input) && { input_tokens: input }), ...(isCount(output) && { output_tokens: output }) };
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}
