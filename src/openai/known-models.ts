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
}>;

const retiring = (capability: Capability, retiresOn: string, successor: string): KnownModel => ({ capability, retiresOn, successor });
/** OpenAI names a model of the Realtime API; what succeeds them here speaks in Chat Completions. */
const retiringSpeech = (hints: readonly Hint[]): KnownModel => ({ ...retiring('audio', '2027-01-06', 'gpt-audio-1.5'), hints });

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
  ['gpt-audio-1.5', { capability: 'audio' }],
  ['gpt-4o-mini-tts', retiringSpeech(['best'])],
  ['tts-1', retiringSpeech(['fast', 'cheap'])],
  ['tts-1-hd', retiringSpeech([])],
  ['gpt-transcribe', { capability: 'transcription', hints: ['best'] }],
  ['gpt-4o-transcribe', retiring('transcription', '2027-02-26', 'gpt-transcribe')],
  ['gpt-4o-mini-transcribe', retiring('transcription', '2027-02-26', 'gpt-transcribe')],
  ['whisper-1', retiring('transcription', '2027-02-26', 'gpt-transcribe')],
  // OpenAI's Videos API is gone, and with it its models; compatible servers still have them, and set their own dates.
  ['sora-2', { capability: 'video', hints: ['fast', 'cheap'] }],
  ['sora-2-pro', { capability: 'video', hints: ['best'] }],
]);

/** Models that no tool can use: each needs another endpoint. */
const OTHER = /embed|moderation|rerank|realtime|diarize|babbage|davinci|turbo-instruct|deep-research|codex/i;
/** The Responses API only. */
const PRO = /^(?:o\d|gpt-\d(?:\.\d)?)-pro/i;
const VIDEO = /sora|video|veo-/i;
const TRANSCRIPTION = /whisper|transcri|parakeet/i;
const AUDIO = /tts|speech|gpt-audio|audio-preview/i;
const IMAGE = /image|dall-e|diffusion|flux|sdxl/i;

/** The model, or what OpenAI names instead from the day on which it retires. */
export function inService(model: string, nowMs: number): string {
  const { retiresOn, successor } = KNOWN_MODELS.get(model) ?? {};
  return retiresOn && successor && nowMs >= Date.parse(retiresOn) ? successor : model;
}

/** What a model is for. Unknown ones are judged by their id; `undefined` when no tool can use it. */
export function capabilityOf(id: string): Capability | undefined {
  const known = KNOWN_MODELS.get(id);
  if (known) return known.capability;
  if (OTHER.test(id) || PRO.test(id)) return undefined;
  if (VIDEO.test(id)) return 'video';
  if (TRANSCRIPTION.test(id)) return 'transcription';
  if (AUDIO.test(id)) return 'audio';
  return IMAGE.test(id) ? 'image' : 'chat';
}
