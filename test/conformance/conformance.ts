/**
 * `npm run conformance`: the official MCP conformance suite against the transports of the gateway, on Node and in
 * workerd; `--only node` or `--only workerd` for one of them. Most scenarios call tools that the gateway does not have,
 * so they run against fixture tools behind its transports; those that need no tools run against the gateway itself too.
 */
import { parseArgs } from 'node:util';
import { type RunningGateway, startNodeGateway, startWorkerdGateway } from '../gateways.ts';
import type { FixtureCalls } from './fixture-app.ts';
import { fixtureTools } from './fixture-tools.ts';
import { startProxy } from './proxy.ts';
import { describeSuite, type Outcome } from './report.ts';
import { installSuites, runSuite, type Suite, suites } from './suites.ts';
import { TASK_TOOLS } from './task-tools.ts';
import { judge, unusedExceptions } from './verdict.ts';

type Target = Readonly<{ name: string; isFixture: boolean; start: () => Promise<RunningGateway> }>;

const KEY = 'conformance-key';
/** Nothing listens upstream, as no scenario is meant to get that far. */
const ENV = { MCP_SERVER_API_KEY: KEY, HOST: '127.0.0.1', OPENAI_API_KEY: 'none', OPENAI_BASE_URL: 'http://127.0.0.1:9/v1' };

const targets: Readonly<Record<string, readonly Target[]>> = {
  node: [
    { name: 'Node, fixtures', isFixture: true, start: () => startNodeGateway(ENV, undefined, 'test/conformance/node.ts') },
    { name: 'Node, gateway', isFixture: false, start: () => startNodeGateway(ENV) },
  ],
  workerd: [
    { name: 'workerd, fixtures', isFixture: true, start: () => startWorkerdGateway(ENV, 'test/conformance/worker.ts') },
    { name: 'workerd, gateway', isFixture: false, start: () => startWorkerdGateway(ENV) },
  ],
};

/** The scenarios that do not need fixtures. */
const FOR_THE_GATEWAY = [
  'caching',
  'dns-rebinding-protection',
  'http-header-validation',
  'input-required-result-unsupported-methods',
  'ping',
  'server-initialize',
  'server-session-lifecycle',
  'server-sse-multiple-streams',
  'server-sse-polling',
  'server-stateless',
  'tools-list',
];

/** Listed only, in some of the suites; all others have to be called, because their scenarios also pass without. */
const LISTED_ONLY = 'json_schema_2020_12_tool';

const { only = Object.keys(targets) } = parseArgs({ options: { only: { type: 'string', multiple: true } } }).values;
const problems: string[] = [];
await installSuites();
const outcomes = (await Promise.all(only.map(runInTurn))).flat();
for (const { name } of suites) console.log(`\n=== ${name}\n${describeSuite(outcomes.filter(({ suite }) => suite === name))}`);
for (const { suite, target, scenario, verdict } of outcomes)
  problems.push(...verdict.problems.map((problem) => `${suite}; ${target}; ${scenario}: ${problem}`));
problems.push(...unusedExceptions(outcomes.map(({ verdict }) => verdict)).map((entry) => `${entry} is expected to fail, but never does`));
console.log(`\n${problems.length === 0 ? 'Everything else passed.' : problems.join('\n')}`);
process.exit(problems.length === 0 ? 0 : 1);

/** The targets of one runtime; more at once would only wait for each other. */
async function runInTurn(runtime: string): Promise<Outcome[]> {
  if (!targets[runtime]) throw new Error(`--only takes ${Object.keys(targets).join(' or ')}.`);
  const all: Outcome[] = [];
  for (const target of targets[runtime]) all.push(...(await runTarget(target)));
  return all;
}

async function runTarget({ name, isFixture, start }: Target): Promise<Outcome[]> {
  const gateway = await start();
  const proxy = await startProxy(gateway.url, KEY);
  const all: Outcome[] = [];
  let calls: FixtureCalls = {};
  for (const suite of suites) {
    const results = await runSuite(suite, `${proxy.url}/mcp`);
    const relevant = results.filter(({ scenario }) => isFixture || FOR_THE_GATEWAY.includes(scenario));
    all.push(...relevant.map((result) => ({ suite: suite.name, target: name, scenario: result.scenario, verdict: judge(result) })));
    if (isFixture) calls = await expectMoreCalls(`${proxy.url}/calls`, calls, suite, name);
  }
  proxy.close();
  await gateway.close();
  return all;
}

/** Some scenarios take the error for an unknown tool for the answer they want. */
async function expectMoreCalls(url: string, before: FixtureCalls, suite: Suite, target: string): Promise<FixtureCalls> {
  const calls = (await (await fetch(url)).json()) as FixtureCalls;
  const expected = [...fixtureTools.map(({ definition }) => definition.name), ...(suite.hasTasks ? TASK_TOOLS : [])];
  for (const name of expected) {
    const isCalled = (calls[name] ?? 0) > (before[name] ?? 0);
    if (!isCalled && name !== LISTED_ONLY) problems.push(`${suite.name}, ${target}: ${name} was not called`);
  }
  return calls;
}
