/**
 * `npm run package`: the folder that is published to npm, dist/package, with its tarball in it. The sources are bundled
 * for Node 22 with the exact versions of all they need, so that nothing else is installed but sharp, which is optional.
 */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import packageJson from '../../package.json' with { type: 'json' };

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Of the modules of CommonJS in the bundle. */
const REQUIRE = "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);";

const { name, version, description, license, bin, optionalDependencies } = packageJson;
const manifest = { name, version, description, license, type: 'module', bin, engines: { node: '>=22.13' }, optionalDependencies };

/** Builds the package in a folder, and resolves with the path of its tarball. */
export async function buildPackage(folder: string): Promise<string> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: { cli: 'src/node-cli.ts', 'node-shrink': 'src/runtime/node-shrink.ts' },
    outdir: join(folder, 'dist'),
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node22.13',
    external: Object.keys(optionalDependencies),
    banner: { js: REQUIRE },
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
  });
  await Promise.all([
    writeFile(join(folder, 'package.json'), JSON.stringify({ ...manifest, files: ['dist', 'THIRD-PARTY-LICENSES'] }, null, 2)),
    writeFile(join(folder, 'THIRD-PARTY-LICENSES'), await licensesOf(Object.keys(metafile.inputs))),
    ...['README.md', 'LICENSE'].map((file) => copyFile(join(root, file), join(folder, file))),
  ]);
  const { stdout } = await promisify(execFile)('npm', ['pack', '--json'], { cwd: folder });
  return join(folder, JSON.parse(stdout)[0].filename);
}

/** The licenses of the packages that are in the bundle, as they demand. */
async function licensesOf(inputs: readonly string[]): Promise<string> {
  const packages = new Set(inputs.flatMap((input) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0] ?? []));
  const texts = [...packages].toSorted().map(async (path) => {
    const file = (await readdir(join(root, path))).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file
      ? await readFile(join(root, path, file), 'utf8')
      : JSON.parse(await readFile(join(root, path, 'package.json'), 'utf8')).license;
    return `${path.replace(/^.*node_modules\//, '')}\n\n${text}`;
  });
  return (await Promise.all(texts)).join(`\n${'-'.repeat(80)}\n`);
}

if (import.meta.main) process.stdout.write(`${await buildPackage(join(root, 'dist/package'))}\n`);
