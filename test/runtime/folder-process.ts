import { createNodeRuntime } from '../../src/runtime/node.ts';

/** One of several processes on a folder: says what has become of creating and replacing the same names as the others. */
const [folder = '', own = ''] = process.argv.slice(2);
const { log } = { log: { debug() {}, info() {}, warn() {}, error() {} } };
const opened = createNodeRuntime(log).openFolder?.(folder, 'http://127.0.0.1/media');
if (!opened) throw new Error('There is no folder.');
const { store } = opened;

const text = (value: number) => new TextEncoder().encode(String(value));
const options = { contentType: 'application/octet-stream', repeatable: true };
let created = 0;
for (let index = 0; index < 50; index++) {
  const { outcome } = await store.create(`state/created-${index}`, text(Number(own)), options);
  if (outcome === 'created') created++;
}
/** Counts up, as a budget does. */
await store.create('state/counter', text(0), options);
for (let added = 0; added < 50; ) {
  const found = await store.read('state/counter', 100);
  if (!found) throw new Error('The counter is gone.');
  const next = Number(new TextDecoder().decode(found.body)) + 1;
  const { outcome } = await store.replace('state/counter', text(next), options.contentType, found.etag);
  if (outcome === 'replaced') added++;
}
console.log(JSON.stringify({ created, secret: opened.stateSecret() }));
