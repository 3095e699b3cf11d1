#!/usr/bin/env node
import nodeModule from 'node:module';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 12)) {
  process.stderr.write(
    `This needs Node 20.12 or later, and this is ${process.versions.node}: install a current one from https://nodejs.org.\n`,
  );
  process.exit(1);
}
// What was compiled once is kept. Not in Node 20.
nodeModule.enableCompileCache?.();
if (!('fromBase64' in Uint8Array)) await import('./runtime/node-older.ts');
const { run } = await import('./node-command.ts');
await run();
