/**
 * `npm run package`: the folder that is published to npm, in dist/package, and its tarball. The sources are bundled for
 * Node 20 with the exact versions of all they need, so that nothing else is installed but sharp, which is optional.
 */
import { execFile } from 'node:child_process';
import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import packageJson from '../../package.json' with { type: 'json' };

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What the program needs of Node's CommonJS, in which some packages are written. */
const REQUIRE = `import { createRequire as nodeCreateRequire } from 'node:module'; const require = nodeCreateRequire(import.meta.url);`;

/** What is published of package.json. */
const { name, version, description, license, bin, optionalDependencies } = packageJson;
const manifest = { name, version, description, license, type: 'module', bin, files: ['dist'], engines: { node: '>=20.12' }, optionalDependencies };

/** Builds and packs into the folder; resolves with the path of the tarball. */
export async function packPackage(folder: string): Promise<string> {
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
    target: 'node20.12',
    legalComments: 'none',
    external: ['sharp'],
    banner: { js: REQUIRE },
    metafile: true,
    logLevel: 'warning',
  });
  await Promise.all([
    writeFile(join(folder, 'package.json'), JSON.stringify(manifest, null, 2)),
    writeFile(join(folder, 'LICENSES.txt'), await licensesOf(Object.keys(metafile.inputs))),
    ...['README.md', 'LICENSE'].map((file) => copyFile(join(root, file), join(folder, file))),
  ]);
  const { stdout } = await promisify(execFile)('npm', ['pack', '--json', '--pack-destination', folder], { cwd: folder });
  return join(folder, JSON.parse(stdout)[0].filename);
}
async function licensesOf(inputs: string[]): Promise<string> { return [...new Set(inputs.map((i) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(i)?.[1]).filter(Boolean))].join('\n'); }
if (import.meta.main) console.log(await packPackage(join(root, 'dist/package')));
