import type { Capability } from './upstreams.ts';

export const HINTS = ['fast', 'cheap', 'best'] as const;
type Hint = (typeof HINTS)[number];

/** What is known about a model. Dates are those of api.openai.com. */
export type KnownModel = Readonly<{
  capability: Capability;
  hints?: readonly Hint[];
  /** ISO 8601 date. */
  retiresOn?: string;
  /** The model to use instead, with the same tool. */
  successor?: string;
  /** What to do instead, when no model with the same tool succeeds it. */
  remedy?: string;
}>;

const NO_SPEECH_SUCCESSOR = 'OpenAI names no successor for this tool; the operator can set OPENAI_AUDIO_BASE_URL to another server.';

const retiring = (capability: Capability, retiresOn: string, successor: string): KnownModel => ({ capability, retiresOn, successor });
const retiringSpeech = (hints: readonly Hint[]): KnownModel => ({
  capability: 'audio',
  hints,
  retiresOn: '2027-01-06',
  remedy: NO_SPEECH_SUCCESSOR,
});

/**
 * As of 2026-11-24; of each capability, in the order in which they are shown.
 * https://platform.openai.com/docs/deprecations
 */
export const KNOWN_MODELS: ReadonlyMap<string, KnownModel> = new Map<string, KnownModel>([
  ['gpt-6-luna', { capability: 'chat', hints: ['fast', 'cheap'] }],
  ['gpt-6.1-sol', { capability: 'chat' }],
  ['gpt-6-sol', { capability: 'chat' }],
  ['gpt-6-astra', { capability: 'chat', hints: ['best'] }],
  ['gpt-4o', retiring('chat', '2027-01-14', 'gpt-6-luna')],
  ['gpt-4o-mini', retiring('chat', '2027-01-14', 'gpt-6-luna')],
  ['gpt-4.1-mini', retiring('chat', '2027-01-14', 'gpt-6-luna')],
  ['gpt-4.1', retiring('chat', '2027-01-14', 'gpt-6-luna')],
  ['gpt-image-2.6-sunburst', { capability: 'image', hints: ['best'] }],
  ['gpt-image-2.6-flare', { capability: 'image', hints: ['fast'] }],
  ['gpt-image-2.5-sunburst', { capability: 'image' }],
  ['gpt-image-2.5-flare', { capability: 'image', hints: ['fast'] }],
  ['gpt-image-2', { capability: 'image' }],
  ['gpt-image-1.5', retiring('image', '2026-12-01', 'gpt-image-2.6-sunburst')],
  ['gpt-image-1-mini', retiring('image', '2026-12-01', 'gpt-image-2.6-flare')],
  ['chatgpt-image-latest', retiring('image', '2026-12-01', 'gpt-image-2.6-sunburst')],
  ['gpt-image-1', retiring('image', '2026-10-23', 'gpt-image-2.6-sunburst')],
  ['dall-e-3', retiring('image', '2026-05-12', 'gpt-image-2.6-sunburst')],
  ['dall-e-2', retiring('image', '2026-05-12', 'gpt-image-2.6-flare')],
  ['gpt-4o-mini-tts', retiringSpeech(['best'])],
  ['tts-1', retiringSpeech(['fast', 'cheap'])],
  ['tts-1-hd', retiringSpeech([])],
  // OpenAI's Videos API is gone, and with it its models; compatible servers still have them, and set their own dates.
  ['sora-2', { capability: 'video', hints: ['fast', 'cheap'] }],
  ['sora-2-pro', { capability: 'video', hints: ['best'] }],
]);

/** Models that no tool can use: each needs another endpoint. */
const OTHER =
  /embed|moderation|rerank|whisper|transcri|realtime|gpt-audio|audio-preview|babbage|davinci|turbo-instruct|deep-research|codex/i;
/** The Responses API only. */
const PRO = /^(?:o\d|gpt-\d(?:\.\d)?)-pro/i;
const VIDEO = /sora|video|veo-/i;
const AUDIO = /tts|speech/i;
const IMAGE = /image|dall-e|diffusion|flux|sdxl/i;

/** What a model is for. Unknown ones are judged by their id; `undefined` when no tool can use it. */
export function capabilityOf(id: string): Capability | undefined {
  const known = KNOWN_MODELS.get(id);
  if (known) return known.capability;
  if (OTHER.test(id) || PRO.test(id)) return undefined;
  if (VIDEO.test(id)) return 'video';
  if (AUDIO.test(id)) return 'audio';
  return IMAGE.test(id) ? 'image' : 'chat';
}
