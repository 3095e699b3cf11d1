/**
 * `npm run bench`: the gateway beside what it stands on, in one run, as Markdown: CPU time and latency per request on Node
 * and in workerd, chat beside the bare `openai` client, start-up, the Worker's size, memory, and an image beside a raw
 * upload. Ends with exit code 1 when the Worker is too large. `-- http`, `-- start`, `-- size`, `-- memory`, `-- image` for parts of it; `-- --rounds N`. Linux only (/proc).
 */
import { readFileSync } from 'node:fs';
import { measureHttp } from './http.ts';
import { measureImage } from './image.ts';
import { measureMemory } from './memory.ts';
import { measureSize } from './size.ts';
import { measureStart } from './start.ts';

// Each process that is started has its end tied to that of this one.
process.setMaxListeners(100);

const parts = { http: measureHttp, start: measureStart, size: measureSize, memory: measureMemory, image: measureImage };

const asked = Object.entries(parts).filter(([name]) => process.argv.includes(name));
const { dependencies, devDependencies } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
const versions = Object.entries({ ...dependencies, workerd: devDependencies.miniflare });
console.log(`Node ${process.versions.node}, ${versions.map(([name, version]) => `${name} ${version}`).join(', ')}`);
for (const [, measure] of asked.length > 0 ? asked : Object.entries(parts)) console.log(`\n${await measure()}`);
process.exit();
