import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { environmentSchema } from '../src/config.ts';
import { startNodeGateway } from './gateways.ts';
import { CLIENT_KEY } from './support.ts';

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
const dockerfile = read('Dockerfile');
const packageJson = JSON.parse(read('package.json'));

test('the image has the Node that the tests run on, and the version, licence and description of the package', () => {
  const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, base]) => base);
  const [major] = packageJson.devDependencies.node.split('.');
  expect(bases).toEqual([`node:${major}-slim`, `node:${major}-slim`]);
  expect(dockerfile).toContain(`\nARG VERSION=${packageJson.version}\n`);
  for (const [label, value] of Object.entries({
    title: packageJson.name,
    description: packageJson.description,
    licenses: packageJson.license,
  }))
    expect(dockerfile).toContain(`org.opencontainers.image.${label}="${value}"`);
});

test('the exposed port is the default one', () => {
  expect(dockerfile).toContain(`\nEXPOSE ${environmentSchema.shape.PORT.parse(undefined)}\n`);
});

test('the builder is given what the Dockerfile copies, and nothing else', () => {
  const allowed = [...read('.dockerignore').matchAll(/^[^#\n].*$/gm)].map(([line]) => line);
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, sources = '']) => sources.split(' '));
  expect(allowed[0]).toBe('*');
  expect(allowed.slice(1).sort()).toEqual([...new Set(copied)].map((path) => `!${path}`).sort());
});

test.each(['', '"'])('the health check follows the gateway to its port, which may stand in quotes (%s)', async (quote) => {
  const gateway = await startNodeGateway({ MCP_SERVER_API_KEY: CLIENT_KEY });
  const [command = '', ...args] = JSON.parse(/^HEALTHCHECK .*CMD (\[.*\])$/m.exec(dockerfile)?.[1] ?? '[]');
  const env = { ...process.env, PORT: `${quote}${new URL(gateway.url).port}${quote}` };
  const health = () =>
    promisify(execFile)(command, args, { env }).then(
      () => 0,
      ({ code }) => code,
    );
  expect(await health()).toBe(0);
  await gateway.close();
  expect(await health()).toBe(1);
});
