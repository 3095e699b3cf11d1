import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { buildWorker } from '../gateways.ts';
import { table } from './table.ts';

const LARGEST = 10;
/** Above it, the bench fails. */
const MAX_GZIP_KIB = 340;

/** The Worker as `npm run build` makes it, and its largest packages before compression. */
export async function measureSize(): Promise<string> {
  const { gzipBytes, bytes, parts } = await sizeOfWorker();
  const rows = [...parts].slice(0, LARGEST).map(([name, partBytes]) => [name, kib(partBytes)]);
  if (kib(gzipBytes) > MAX_GZIP_KIB) process.exitCode = 1;
  return table(`The Worker: ${kib(gzipBytes)} KiB gzip (at most ${MAX_GZIP_KIB}), ${kib(bytes)} KiB`, ['part', 'KiB'], rows);
}

const kib = (bytes: number) => Math.round(bytes / 1024);

async function sizeOfWorker() {
  const outdir = mkdtempSync(join(tmpdir(), 'worker-size-'));
  const metafile = join(outdir, 'meta.json');
  await buildWorker('src/worker.ts', outdir, ['--metafile', metafile]);
  const code = readFileSync(join(outdir, 'worker.js'));
  const { outputs } = JSON.parse(readFileSync(metafile, 'utf8')) as {
    outputs: Record<string, { inputs: Record<string, { bytesInOutput: number }> }>;
  };
  const parts = new Map<string, number>();
  for (const { inputs } of Object.values(outputs)) {
    for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
      const [, name = 'src'] = /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path) ?? [];
      parts.set(name, (parts.get(name) ?? 0) + bytesInOutput);
    }
  }
  rmSync(outdir, { recursive: true });
  const gzipBytes = gzipSync(code, { level: 9 }).length;
  return { bytes: code.length, gzipBytes, parts: new Map([...parts].toSorted(([, a], [, b]) => b - a)) };
}
