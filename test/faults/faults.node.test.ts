import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type RunningGateway, startNodeGateway, startWorkerdGateway } from '../gateways.ts';
import { CELLS, nameOf, TARGETS } from './matrix.ts';
import { FAULTS } from './misbehave.ts';
import { runCell } from './run-cell.ts';

/** Every fault once, and every target; `npm run faults` runs them all. */
const SAMPLE: readonly string[] = [
  'The upstream, from the start; 400; generate_image',
  'The upstream, from the start; 401; list_supported_models',
  'The upstream, from the start; 429; synthesize_speech',
  'The upstream, from the start; 429, wait 2 s; chat_completion',
  'The upstream, from the start; 429, wait 60 s; generate_video',
  'The upstream, from the start; hang; generate_image',
  'The upstream, from the start; reset before headers; generate_image',
  'The upstream, from the start; bad JSON; chat_completion',
  'The upstream, from the start; reset after headers; synthesize_speech',
  'The upstream, from the start; drip; synthesize_speech',
  'The upstream, from the start; 300 MB; chat_completion',
  'The upstream, when asked how a video is; 500; generate_video',
  'The upstream, when asked for the file of a video; half a body; generate_video',
  'The upstream, from the start; half a body; edit_image',
  'The upstream, from the start; 503; transcribe_audio',
  'Storage, from the start; 403; synthesize_speech',
  'Storage, from the start; hang; generate_video',
  'Storage, from the start; 503; chat_completion',
  'Storage, whenever a job is recorded; hang; synthesize_speech',
  'Storage, whenever something is stored; 403; generate_image',
  'Storage, whenever something is stored; 503; synthesize_speech',
  'Storage, whenever something is stored; HTML with 200; generate_image',
  'Storage, the first two times that something is stored; 500; generate_image',
  'Storage, the first two times that something is stored; hang; synthesize_speech',
];

const sample = CELLS.filter((cell) => SAMPLE.includes(nameOf(cell)));

test('the sample has every fault and every target of the matrix', () => {
  expect(sample.map(nameOf)).toHaveLength(SAMPLE.length);
  expect(new Set(sample.map(({ fault }) => fault))).toEqual(new Set(Object.keys(FAULTS)));
  expect(new Set(sample.map(({ target }) => target))).toEqual(new Set(TARGETS));
});

const runtimes = {
  Node: () => startNodeGateway({}, undefined, 'test/faults/node.ts'),
  workerd: () => startWorkerdGateway({}, 'test/faults/worker.ts'),
};

describe.each(Object.entries(runtimes))('%s', (_, start) => {
  let gateway: RunningGateway;
  beforeAll(async () => {
    gateway = await start();
  });
  afterAll(() => gateway?.close());

  test.concurrent.each(sample.map((cell) => [nameOf(cell), cell] as const))('%s', async (_, cell) => {
    const backends = { openaiUrl: inject('openaiUrl'), storage: inject('storage') };
    expect((await runCell(cell, gateway.url, backends)).problems).toEqual([]);
  });
});
