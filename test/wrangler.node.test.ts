import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { unstable_readConfig as readConfig } from 'wrangler';
import packageJson from '../package.json' with { type: 'json' };
import { environmentSchema } from '../src/config.ts';

const text = readFileSync(new URL('../wrangler.toml', import.meta.url), 'utf8');

/** The configuration as Wrangler reads it from this text. */
function parse(toml: string, env?: string) {
  const path = join(mkdtempSync(join(tmpdir(), 'wrangler-')), 'wrangler.toml');
  writeFileSync(path, toml);
  return readConfig({ config: path, ...(env && { env }) });
}

test('wrangler.toml binds the Durable Objects of streams, jobs and accounts, whose classes are SQLite-backed, and a bucket for media', () => {
  const { durable_objects, migrations, compatibility_flags, observability, r2_buckets } = parse(text);
  expect(r2_buckets).toMatchObject([{ binding: 'MEDIA' }]);
  expect(durable_objects.bindings).toEqual([
    { name: 'SSE_SESSIONS', class_name: 'SseSessionObject' },
    { name: 'JOBS', class_name: 'JobObject' },
    { name: 'ACCOUNTS', class_name: 'AccountObject' },
  ]);
  expect(migrations).toEqual([
    { tag: 'v1', new_sqlite_classes: ['SseSessionObject'] },
    { tag: 'v2', new_sqlite_classes: ['JobObject'] },
    { tag: 'v3', new_sqlite_classes: ['AccountObject'] },
  ]);
  expect(compatibility_flags).toContain('enable_request_signal');
  expect(observability).toMatchObject({ enabled: true });
});

test('the examples in it are valid once they are uncommented', () => {
  const uncommented = text.replace(/^# (?=[a-z_]+ = |[A-Z_]+ = |\[)/gm, '');
  const production = parse(uncommented, 'production');
  expect(production.name).toBe('openai-mcp-gateway-production');
  expect(production.durable_objects).toEqual(parse(text).durable_objects);
  for (const env of [undefined, 'production']) expect(parse(uncommented, env).images).toMatchObject({ binding: 'IMAGES' });
  for (const name of Object.keys(parse(uncommented).vars)) expect(Object.keys(environmentSchema.shape)).toContain(name);
});

test('the Deploy button describes exactly the variables that .dev.vars.example asks for', () => {
  const example = readFileSync(new URL('../.dev.vars.example', import.meta.url), 'utf8');
  const asked = [...example.matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name);
  expect(Object.keys(packageJson.cloudflare.bindings)).toEqual(asked);
});
