import { expect, test } from 'vitest';
import * as z from 'zod';
import packageJson from '../package.json' with { type: 'json' };
import server from '../server.json' with { type: 'json' };
import { environmentSchema } from '../src/config.ts';
import { ABOUT } from '../src/gateway.ts';
import { read } from './pages.ts';

const { packages, remotes, ...about } = server;

/** The bounds of the registry's schema, 2025-12-11. */
const aboutSchema = z.strictObject({
  $schema: z.literal('https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json'),
  name: z
    .string()
    .max(200)
    .regex(/^[a-zA-Z0-9.-]+\/[a-zA-Z0-9._-]+$/),
  title: z.string().max(100),
  description: z.string().max(100),
  version: z.literal(packageJson.version),
});

test('server.json is within the bounds of the registry, and of the version of the package', () => {
  expect(aboutSchema.safeParse(about).error).toBeUndefined();
  expect(about.title).toBe(ABOUT.title);
  expect(about.name.split('/')[1]).toBe(packageJson.name);
});

test('its image has the version, and a label with its name, by which the registry knows its owner', () => {
  expect(packages.map(({ identifier }) => identifier)).toEqual([`docker.io/OWNER/${packageJson.name}:${packageJson.version}`]);
  expect(read('Dockerfile')).toContain(`io.modelcontextprotocol.server.name="${about.name}"`);
});

test('its variables are those of the gateway, and its keys are secrets', () => {
  for (const { environmentVariables } of packages)
    for (const { name, isSecret } of environmentVariables) {
      expect(Object.keys(environmentSchema.shape)).toContain(name);
      expect(isSecret === true, name).toBe(/_API_KEY$|_CONNECTION_STRING$/.test(name));
    }
});

test('every variable in braces is described', () => {
  for (const transport of [...packages.map((one) => one.transport), ...remotes]) {
    expect(transport.type).toBe('streamable-http');
    expect(transport.url).toMatch(/\/mcp$/);
    const variables = 'variables' in transport ? transport.variables : {};
    expect(namesIn(transport.url)).toEqual(Object.keys(variables as object));
    for (const { value, variables: ofHeader, isSecret } of transport.headers) {
      expect(namesIn(value)).toEqual(Object.keys(ofHeader));
      expect(isSecret).toBe(true);
    }
  }
});

const namesIn = (template: string) => [...template.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
