import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, request as httpRequest } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunningGateway, spawnNodeGateway, startNodeGateway } from './gateways.ts';
import {
  CLIENT_KEY,
  ENVELOPE,
  eventually,
  MODERN,
  newAccount,
  queueFaults,
  recordedRequests,
  release,
  testEnvironment,
} from './support.ts';

/** Runs the server until it ends by itself. */
async function runToEnd(env: Record<string, string>): Promise<{ code: number; stderr: string }> {
  const child = spawnNodeGateway(env);
  let stderr = '';
  child.stderr?.on('data', (chunk) => (stderr += chunk));
  const [code] = await once(child, 'close');
  return { code, stderr };
}

describe('a failed start exits with code 1 and says why', () => {
  test('wrong configuration: a list of all variables, without their values', async () => {
    const { code, stderr } = await runToEnd({ PORT: 'secret', LOG_LEVEL: 'loud', OPENAI_API_KEY: 'secret key' });
    expect(code).toBe(1);
    const lines = stderr.trimEnd().split('\n').slice(1);
    expect(lines.map((line) => /^ {2}(\w+) /.exec(line)?.[1])).toEqual(['MCP_SERVER_API_KEY', 'PORT', 'LOG_LEVEL', 'OPENAI_API_KEY']);
    expect(lines[1]).toMatch(/0.*65535/);
    expect(lines[2]).toContain('debug, info, warn, error');
    expect(stderr).not.toMatch(/secret|loud/);
  });

  test('a port in use', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo;
    const { code, stderr } = await runToEnd({ MCP_SERVER_API_KEY: 'k', HOST: '127.0.0.1', PORT: String(port) });
    other.close();
    expect(code).toBe(1);
    expect(stderr).toMatch(new RegExp(`^.*${port}.*PORT.*\n$`));
  });

  test('a weak key, where others can reach the server, and a misspelled name', async () => {
    const { code, stderr } = await runToEnd({ MCP_SERVER_API_KEY: 'secret', OPENAI_APIKEY: 'secret', PORT: '0' });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^ {2}MCP_SERVER_API_KEY is shorter than 24 .*MCP_ALLOW_WEAK_KEY=1$/m);
    expect(stderr).toMatch(/^ {2}OPENAI_APIKEY .*OPENAI_API_KEY\?$/m);
    expect(stderr).not.toContain('secret');
  });

  test('an address of another machine', async () => {
    const { code, stderr } = await runToEnd({ MCP_SERVER_API_KEY: 'k', MCP_ALLOW_WEAK_KEY: '1', HOST: '192.0.2.1', PORT: '0' });
    expect(code).toBe(1);
    expect(stderr).toMatch(/^.*192\.0\.2\.1:0.*EADDRNOTAVAIL.*HOST.*\n$/);
  });

  test('a Node version that is too old', async () => {
    const program = `delete Uint8Array.fromBase64; await import(${JSON.stringify(new URL('../src/node.ts', import.meta.url).href)});`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (chunk) => (stderr += chunk));
    expect(await once(child, 'close')).toEqual([1, null]);
    expect(stderr).toMatch(new RegExp(`^.*Node 26.*${process.versions.node}.*npm start.*\n$`));
  });
});

describe('a start reports what is available and what is probably a mistake', () => {
  const env = { MCP_SERVER_API_KEY: 'k', OPENAI_API_KEY: 'k', MCP_ALLOWED_HOST: 'secret', HOST: '127.0.0.1', PORT: '0' };

  /** Standard output up to a pattern, of a server that is then stopped. */
  async function outputUntil(pattern: RegExp, overrides: Record<string, string> = {}): Promise<string> {
    const child = spawnNodeGateway({ ...env, ...overrides });
    let output = '';
    for await (const chunk of child.stdout ?? []) {
      output += chunk;
      if (pattern.test(output)) child.kill('SIGKILL');
    }
    return output;
  }

  test('as JSON lines', async () => {
    const lines = (await outputUntil(/"listening"/)).trimEnd().split('\n');
    const events = lines.map((line) => JSON.parse(line));
    expect(events.map(({ event }) => event)).toEqual(['config_warning', 'config_warning', 'unavailable', 'listening']);
    expect(events.slice(0, 3)).toMatchObject([
      { level: 'warn', variable: 'MCP_SERVER_API_KEY' },
      { level: 'warn', variable: 'MCP_ALLOWED_HOST', problem: 'is not read; did you mean MCP_ALLOWED_HOSTS?' },
      { level: 'info', capability: 'video' },
    ]);
    expect(lines.join()).not.toContain('secret');
  });

  test('as text in a terminal', async () => {
    const terminal = `--import "data:text/javascript,process.stdout.isTTY = true"`;
    const output = await outputUntil(/Ctrl\+C/, { NODE_OPTIONS: terminal });
    expect(output).toMatch(/^OpenAI MCP Gateway [\d.]+\n/);
    expect(output).toMatch(/^ {2}MCP +http:\/\/localhost:\d+\/mcp$/m);
    expect(output).toMatch(/^ {2}chat +gpt-6-luna, OpenAI \(api\.openai\.com\)$/m);
    expect(output).toMatch(/^ {2}storage +127\.0\.0\.1:\d+$/m);
    expect(output).toMatch(/^ {2}Warning: MCP_ALLOWED_HOST is not read; did you mean MCP_ALLOWED_HOSTS\?$/m);
    expect(output).not.toMatch(/secret|^\{/m);
  });
});

test('an empty variable does not hide the one in .dev.vars, nor does a byte order mark', async () => {
  const directory = await mkdtemp(`${tmpdir()}/gateway-`);
  await writeFile(`${directory}/.dev.vars`, '\uFEFFMCP_SERVER_API_KEY=from-the-file\nOPENAI_CHAT_MODEL=from-the-file\n');
  const gateway = await startNodeGateway(
    { MCP_SERVER_API_KEY: '', OPENAI_CHAT_MODEL: 'from-the-environment', OPENAI_API_KEY: 'k' },
    directory,
  );
  const headers = { authorization: 'Bearer from-the-file', 'content-type': 'application/json' };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'list_supported_models', arguments: {} } });
  const response = await fetch(`${gateway.url}/mcp`, { method: 'POST', headers, body });
  expect(await response.text()).toContain('from-the-environment');
  await gateway.close();
  await rm(directory, { recursive: true });
});

describe('a running server', () => {
  let gateway: RunningGateway;
  beforeAll(async () => {
    gateway = await startNodeGateway(testEnvironment());
  });
  afterAll(() => gateway.close());

  test('two Authorization headers are rejected, even when both are valid', async () => {
    const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
    const header = `Authorization: Bearer ${CLIENT_KEY}\r\n`;
    socket.write(`GET /mcp HTTP/1.1\r\nHost: localhost\r\n${header}${header}Connection: close\r\n\r\n`);
    let answer = '';
    for await (const chunk of socket) answer += chunk;
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
  });

  test('a chunked body over 4 MiB returns 413', async () => {
    const body = new ReadableStream<Uint8Array>({ pull: (controller) => controller.enqueue(new Uint8Array(1_000_000).fill(32)) });
    const headers = { authorization: `Bearer ${CLIENT_KEY}`, 'content-type': 'application/json' };
    const response = await fetch(`${gateway.url}/mcp`, { method: 'POST', headers, body, duplex: 'half' } as RequestInit);
    expect(response.status).toBe(413);
  });
});

describe('SIGTERM', () => {
  const headers = { authorization: `Bearer ${CLIENT_KEY}`, 'content-type': 'application/json' };
  const call = JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name: 'chat_completion', arguments: { prompt: 'Are you still there?' } },
  });

  const isDraining = (gateway: RunningGateway) => eventually(async () => (await fetch(`${gateway.url}/ready`)).status === 503);

  /** A server whose next call ends when it is told to, and a way to wait until that call has reached the upstream. */
  async function startSlow() {
    const account = newAccount();
    const gateway = await startNodeGateway(testEnvironment({ OPENAI_API_KEY: account }));
    await queueFaults(account, [{ hold: 'all' }]);
    const underWay = () => eventually(async () => (await recordedRequests(account)).length > 0);
    return { gateway, underWay, release: () => release(account) };
  }

  test('finishes the call in flight, rejects new ones, then exits with code 0', async () => {
    const { gateway, underWay, release } = await startSlow();
    const answer = fetch(`${gateway.url}/mcp`, { method: 'POST', headers, body: call });
    await underWay();
    const exited = gateway.terminate();
    await isDraining(gateway);
    const refused = await fetch(`${gateway.url}/mcp`, { method: 'POST', headers, body: call });
    expect([refused.status, await refused.json()]).toMatchObject([503, { error: { code: 'draining' } }]);
    await release();
    expect(await (await answer).text()).toContain('Are you still there?');
    expect(await exited).toBe(0);
  });

  test('finishes the call on a legacy stream, then closes all streams', async () => {
    const { gateway, underWay, release } = await startSlow();
    const [busy, idle] = [await fetch(`${gateway.url}/sse`, { headers }), await fetch(`${gateway.url}/sse`, { headers })];
    const reader = busy.body?.pipeThrough(new TextDecoderStream()).getReader();
    const [, inbox] = /data: (.*)/.exec((await reader?.read())?.value ?? '') ?? [];
    await fetch(gateway.url + inbox, { method: 'POST', headers, body: call });
    await underWay();
    const exited = gateway.terminate();
    await isDraining(gateway);
    const another = call.replace('"id":1', '"id":2');
    expect((await fetch(gateway.url + inbox, { method: 'POST', headers, body: another })).status).toBe(503);
    await release();
    expect((await reader?.read())?.value).toContain('Are you still there?');
    expect((await reader?.read())?.done).toBe(true);
    expect(await idle.text()).toMatch(/^event: endpoint/);
    expect(await exited).toBe(0);
  });

  test('a request that is still being sent gets a response', async () => {
    const gateway = await startNodeGateway(testEnvironment());
    const request = httpRequest(`${gateway.url}/mcp`, { method: 'POST', headers: { ...headers, expect: '100-continue' } });
    request.write(call.slice(0, 20));
    await once(request, 'continue');
    const exited = gateway.terminate();
    await isDraining(gateway);
    request.end(call.slice(20));
    const [response] = await once(request, 'response');
    expect(response.statusCode).toBe(200);
    response.resume();
    expect(await exited).toBe(0);
  });

  test('a response that is read slowly arrives complete', async () => {
    const gateway = await startNodeGateway(testEnvironment());
    const prompt = 'a lot to read '.repeat(250_000);
    const params = { name: 'chat_completion', arguments: { prompt } };
    const request = httpRequest(`${gateway.url}/mcp`, { method: 'POST', headers });
    request.end(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }));
    const [response] = await once(request, 'response');
    const exited = gateway.terminate();
    await isDraining(gateway);
    let text = '';
    for await (const chunk of response) text += chunk;
    expect(JSON.parse(text).result.structuredContent.text).toHaveLength(prompt.length + 'The stand-in was asked: '.length);
    expect(await exited).toBe(0);
  });

  test('a client that does not read its stream does not delay shutdown', async () => {
    const account = newAccount();
    const gateway = await startNodeGateway(testEnvironment({ OPENAI_API_KEY: account }));
    const socket = connect(Number(new URL(gateway.url).port), '127.0.0.1');
    socket.write(`GET /sse HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${CLIENT_KEY}\r\n\r\n`);
    const [first] = await once(socket, 'data');
    socket.pause();
    const inbox = /data: (\S+)/.exec(String(first))?.[1];
    const answered = { jsonrpc: '2.0', method: 'tools/call' };
    const params = { name: 'chat_completion', arguments: { prompt: 'a lot to read '.repeat(250_000) } };
    for (const id of [1, 2])
      await fetch(gateway.url + inbox, { method: 'POST', headers, body: JSON.stringify({ ...answered, id, params }) });
    await eventually(async () => (await recordedRequests(account)).length === 2);
    expect(await gateway.terminate()).toBe(0);
    socket.destroy();
  });

  test('a subscription of the 2026 era does not delay shutdown', async () => {
    const gateway = await startNodeGateway(testEnvironment());
    const method = 'subscriptions/listen';
    const response = await fetch(`${gateway.url}/mcp`, {
      method: 'POST',
      headers: { ...headers, accept: 'application/json, text/event-stream', 'mcp-protocol-version': MODERN, 'mcp-method': method },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { _meta: ENVELOPE, notifications: { toolsListChanged: true } } }),
    });
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    expect(await gateway.terminate()).toBe(0);
  });

  test('a thousand calls with disconnected clients do not delay shutdown', async () => {
    const gateway = await startNodeGateway(testEnvironment());
    const callAndLeave = async (afterMs: number) => {
      const signal = AbortSignal.timeout(afterMs);
      await fetch(`${gateway.url}/mcp`, { method: 'POST', headers, body: call, signal }).then(
        (response) => response.text(),
        () => {},
      );
    };
    for (let batch = 0; batch < 20; batch++) await Promise.all(Array.from({ length: 50 }, (_, index) => callAndLeave(1 + index)));
    expect((await fetch(`${gateway.url}/health`)).status).toBe(200);
    // An unhandled rejection would have exited with another code.
    expect(await gateway.terminate()).toBe(0);
  });
});
