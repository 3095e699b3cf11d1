#!/usr/bin/env node
import nodeModule from 'node:module';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 22 || (major === 22 && minor < 13)) {
  process.stderr.write(
    `This needs Node 22.13 or later, and this is ${process.versions.node}: install a current one from https://nodejs.org.\n`,
  );
  process.exit(1);
}
// What was compiled once is kept.
nodeModule.enableCompileCache?.();
if (!('fromBase64' in Uint8Array)) await import('./runtime/node-older.ts');
const { run } = await import('./node-command.ts');
await run();
