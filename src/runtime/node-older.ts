/** What the sources use and Node before 26 does not have. Only the published package runs there, which has it bundled. */
import workerThreads from 'node:worker_threads';
import 'core-js/actual/array-buffer/transfer.js';
import 'core-js/actual/map/group-by.js';
import 'core-js/actual/promise/with-resolvers.js';
import 'core-js/actual/typed-array/from-base64.js';
import 'core-js/actual/typed-array/from-hex.js';
import 'core-js/actual/typed-array/set-from-base64.js';
import 'core-js/actual/typed-array/to-base64.js';
import 'core-js/actual/typed-array/to-hex.js';

// undici, of Node 22.10, marks what must not be sent to another thread; here, there is none.
Object.assign(workerThreads, { markAsUncloneable: workerThreads.markAsUncloneable ?? (() => {}) });
// Its agents do not fit the fetch of an older Node.
const { default: undici } = await import('undici');
undici.install();
