import { FAULTS, type FaultName } from './misbehave.ts';

/** Stand for the URLs of files that are in storage before the fault begins. */
export const INPUT = { image: 'input:image', audio: 'input:audio' };

export const CALLS = {
  chat_completion: { prompt: 'Say something.' },
  generate_image: { prompt: 'A lighthouse', size: '256x256' },
  edit_image: { prompt: 'At night', images: [INPUT.image] },
  synthesize_speech: { input: 'Good morning.' },
  transcribe_audio: { audio: INPUT.audio },
  generate_video: { prompt: 'A lighthouse', wait_seconds: 10 },
  create_upload: {},
  list_media: {},
  list_supported_models: { verify: true },
} as const;
type ToolName = keyof typeof CALLS;

type Expectation = Readonly<{
  /** `ok`, or one of these kinds of failure. */
  kinds: readonly string[];
  /** POSTs that create something, as the upstream has received them. */
  paidPosts: number;
  blobs: number;
  /** Requests with which something was to be stored. */
  puts?: number;
  /** What has to be in the result. */
  says?: RegExp;
  /** For how long the gateway has to go on trying, by its own clock. */
  minSeconds?: number;
}>;

/** Which requests go wrong, and for how long. */
type Target = Readonly<{
  name: string;
  server: 'upstream' | 'storage';
  /** Of the requests as `METHOD /path?query`. */
  matches: RegExp;
  times?: number;
  tools: readonly ToolName[];
  faults: readonly FaultName[];
  expect: (tool: ToolName, fault: FaultName) => Expectation;
}>;

export type Cell = Readonly<{ target: Target; tool: ToolName; fault: FaultName; expected: Expectation }>;

const ALL = Object.keys(FAULTS) as FaultName[];
const EVERY_TOOL = Object.keys(CALLS) as ToolName[];
const MEDIA_TOOLS: readonly ToolName[] = ['generate_image', 'edit_image', 'synthesize_speech', 'generate_video'];
/** What trying again does not change. */
const FINAL: readonly FaultName[] = ['400', '401', '403'];
/** The headers are true, and storage has said with them all that matters. */
const BODY_ONLY: readonly FaultName[] = ['reset after headers', 'half a body', 'drip', '300 MB'];
/** Storage speaks no JSON. */
const OF_STORAGE = ALL.filter((fault) => fault !== 'bad JSON');
const INSTEAD = OF_STORAGE.filter((fault) => !BODY_ONLY.includes(fault));
/** The upstream has begun no work, and a second try may succeed soon. */
const REPEATED: readonly FaultName[] = ['429', '429, wait 2 s', '503'];

/** A PUT that stores media; the check of storage before a paid call has a `timeout`. */
export const STORING = /^PUT (?!\S*([?&]timeout=|\/(state|history|usage)\/))/;
const VIDEO_ID = /video_[0-9a-f]{32}/;
const NOT_STORED_YET = { blobs: 0 };
/** Well beyond a hiccup, and well below the five minutes that the gateway goes on. */
const RETRIED_SECONDS = 120;

export const TARGETS: readonly Target[] = [
  {
    name: 'The upstream, from the start',
    server: 'upstream',
    matches: /./,
    tools: EVERY_TOOL.filter((tool) => tool !== 'create_upload' && tool !== 'list_media'),
    faults: ALL,
    expect(tool, fault) {
      if (tool === 'list_supported_models') return { ...NOT_STORED_YET, kinds: ['ok'], paidPosts: 0, says: /verify_problem/ };
      const isRepeated = REPEATED.includes(fault) && ['chat_completion', 'synthesize_speech', 'transcribe_audio'].includes(tool);
      return { ...NOT_STORED_YET, kinds: upstreamKinds(fault), paidPosts: isRepeated ? 3 : 1 };
    },
  },
  {
    name: 'The upstream, when asked how a video is',
    server: 'upstream',
    matches: /^GET \S*\/videos\/[^/?]+$/,
    tools: ['generate_video'],
    faults: ALL,
    // A poll that fails for now is followed by others, until the result says that the video is in progress.
    expect: (_, fault) => ({
      ...NOT_STORED_YET,
      kinds: FINAL.includes(fault) ? ['video_interrupted'] : ['ok', 'video_interrupted'],
      paidPosts: 1,
      says: VIDEO_ID,
    }),
  },
  {
    name: 'The upstream, when asked for the file of a video',
    server: 'upstream',
    matches: /^GET \S*\/content(?!.*variant=(thumbnail|spritesheet))/,
    tools: ['generate_video'],
    // A video may have 300 MB.
    faults: ALL.filter((fault) => fault !== '300 MB'),
    expect: () => ({ ...NOT_STORED_YET, kinds: ['video_interrupted'], paidPosts: 1, says: VIDEO_ID }),
  },
  {
    name: 'Storage, from the start',
    server: 'storage',
    matches: /./,
    // What it would transcribe is in storage.
    tools: EVERY_TOOL.filter((tool) => tool !== 'transcribe_audio'),
    faults: INSTEAD,
    expect(tool) {
      if (tool === 'list_media') return { ...NOT_STORED_YET, kinds: ['storage'], paidPosts: 0 };
      if (MEDIA_TOOLS.includes(tool) || tool === 'create_upload') return { ...NOT_STORED_YET, kinds: ['storage_unusable'], paidPosts: 0 };
      return { ...NOT_STORED_YET, kinds: ['ok'], paidPosts: tool === 'chat_completion' ? 1 : 0 };
    },
  },
  {
    name: 'Storage, whenever a job is recorded',
    server: 'storage',
    matches: /\/state\//,
    tools: MEDIA_TOOLS,
    faults: INSTEAD,
    expect: () => ({ ...NOT_STORED_YET, kinds: ['storage_unusable'], paidPosts: 0 }),
  },
  {
    name: 'Storage, whenever something is stored',
    server: 'storage',
    matches: STORING,
    tools: MEDIA_TOOLS,
    faults: OF_STORAGE,
    expect(tool, fault) {
      if (BODY_ONLY.includes(fault)) return stored(tool);
      const lost =
        tool === 'generate_video'
          ? { ...NOT_STORED_YET, kinds: ['video_interrupted'], paidPosts: 1, says: VIDEO_ID }
          : { ...NOT_STORED_YET, kinds: ['media_lost'], paidPosts: 1 };
      if (FINAL.includes(fault)) return { ...lost, puts: 1 };
      // A video can be downloaded again.
      return tool === 'generate_video' ? lost : { ...lost, minSeconds: RETRIED_SECONDS };
    },
  },
  {
    name: 'Storage, the first two times that something is stored',
    server: 'storage',
    matches: STORING,
    times: 2,
    tools: MEDIA_TOOLS,
    faults: INSTEAD.filter((fault) => !FINAL.includes(fault)),
    expect: stored,
  },
];

export const CELLS: readonly Cell[] = TARGETS.flatMap((target) =>
  target.faults.flatMap((fault) => target.tools.map((tool) => ({ target, tool, fault, expected: target.expect(tool, fault) }))),
);

export function nameOf({ target, fault, tool }: Cell): string {
  return `${target.name}; ${fault}; ${tool}`;
}

function upstreamKinds(fault: FaultName): string[] {
  switch (fault) {
    case 'hang':
      return ['upstream_timeout'];
    case 'reset before headers':
      return ['upstream_unreachable'];
    case 'reset after headers':
    case 'half a body':
      return ['upstream_unreachable', 'upstream_answer'];
    case 'drip':
      return ['upstream_answer', 'upstream_timeout'];
    case 'bad JSON':
    case 'HTML with 200':
    case '300 MB':
      return ['upstream_answer'];
    default:
      return ['upstream_status'];
  }
}

/** A video comes with its thumbnail. */
function stored(tool: ToolName): Expectation {
  return { kinds: ['ok'], paidPosts: 1, blobs: tool === 'generate_video' ? 2 : 1 };
}
