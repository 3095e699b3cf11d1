import type { Measures } from '../events.ts';
import type { MediaStore } from '../media/media-store.ts';
import type { Clock } from '../ports.ts';

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
