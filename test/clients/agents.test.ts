import { execFile } from 'node:child_process';
import { cpSync, mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Ajv } from 'ajv';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compileTool } from '../../src/mcp/compile-tool.ts';
import { tools } from '../../src/tools/index.ts';
import type { Tool } from '../../src/tools/tool.ts';
import { type RunningGateway, startNodeGateway } from '../gateways.ts';
import { CLIENT_KEY, setVideos, testEnvironment } from '../support.ts';
import { argsOf, calls } from './calls.ts';
import { LONG } from './connect.ts';
import { connectAgentsServer, toStrictTools } from './installed/frameworks.ts';
import { type ScriptedModel, startScriptedModel } from './scripted-model.ts';

const published = tools.map(
  (tool) => compileTool(tool as unknown as Tool, { mask: (value) => value, defaultWaitMs: 0, inlinePreview: false }).definition,
);
const examples = ['ai-sdk.mjs', 'langchain.mjs', 'openai-agents.mjs'];
const installed = new URL('installed/node_modules/.cache/', import.meta.url);
/** What the model reads of tools that make no file. */
const TEXTS: Record<string, RegExp> = {
  chat_completion: /The stand-in was asked: Hello/,
  list_supported_models: /gpt-image/,
  transcribe_audio: /The stand-in heard/,
  create_upload: /curl --fail-with-body -T FILE/,
  list_media: /image|Nothing was found/,
};
const FILE_URL = /http:[^\s"]+\.(webp|opus|mp4|png)/g;
const ajv = new Ajv({ strict: false });

let gateway: RunningGateway;
beforeAll(async () => {
  const env = testEnvironment();
  await setVideos(env.OPENAI_API_KEY ?? '', { jobSeconds: 1 });
  gateway = await startNodeGateway(env);
});
afterAll(() => gateway?.close());

/** Runs a file of docs/examples where its packages are installed. */
async function runExample(file: string, model: ScriptedModel): Promise<string> {
  mkdirSync(installed, { recursive: true });
  cpSync(new URL(`../../docs/examples/${file}`, import.meta.url), new URL(file, installed));
  const env = {
    ...(process.env as Record<string, string>),
    GATEWAY_URL: `${gateway.url}/mcp`,
    MCP_SERVER_API_KEY: CLIENT_KEY,
    OPENAI_API_KEY: 'key-of-the-scripted-model',
    OPENAI_BASE_URL: `${model.url}/v1`,
  };
  const command = [fileURLToPath(new URL(file, installed))];
  const { stdout } = await promisify(execFile)(process.execPath, command, { env, ...LONG });
  return stdout;
}

describe.each(examples)('docs/examples/%s', (file) => {
  test.each(Object.entries(calls))('the model reads the result of %s, and answers', async (name, call) => {
    const model = await startScriptedModel({ name, args: await argsOf(call) });
    const stdout = await runExample(file, model);
    await model.close();
    const result = model.toolResult() ?? '';
    expect(stdout.trim()).toBe(result.trim());
    expect(result).toMatch(TEXTS[name] ?? FILE_URL);
    for (const [url] of result.matchAll(FILE_URL)) expect((await fetch(url)).status, url).toBe(200);
  });

  test('hands every published schema to the model as it is', async () => {
    const model = await startScriptedModel({ name: 'list_supported_models', args: {} });
    await runExample(file, model);
    await model.close();
    expect(model.tools().map(({ name }) => name)).toEqual(published.map(({ name }) => name));
    for (const { name, parameters, strict } of model.tools()) {
      const { inputSchema } = published.find((definition) => definition.name === name) ?? {};
      expect(withoutAdditions(parameters), name).toEqual(withoutAdditions(inputSchema));
      expect(strict ?? false, name).toBe(false);
      expect(ajv.validate(parameters, await argsOf(callOf(name))), name).toBe(true);
    }
  });
});

const callOf = (name: string) => calls[name] as (typeof calls)[string];

/** A schema without what frameworks add to every one. */
function withoutAdditions(schema: object = {}): object {
  const { $schema: _, additionalProperties: __, ...rest } = schema as Record<string, unknown>;
  return { properties: {}, required: [], ...rest };
}

describe('the Agents SDK with convertSchemasToStrict', () => {
  test('converts every schema but that with open objects; null, which strict models send, means unset', async () => {
    const server = await connectAgentsServer(gateway.url, CLIENT_KEY);
    const converted = await toStrictTools(server);
    expect(converted.filter(({ strict }) => !strict).map(({ name }) => name)).toEqual(['chat_completion']);
    for (const { name, strict, parameters } of converted) {
      const call = callOf(name);
      const args = await argsOf(call);
      const nulls = strict ? Object.fromEntries(parameters.required.map((argument) => [argument, null])) : {};
      await call.check((await server.callToolResult(name, { ...nulls, ...args })) as Parameters<typeof call.check>[0]);
    }
    await server.close();
  });
});
