import { ApiError } from './errors.ts';

/** Models as the real list has them in November 2026, and two that an OpenAI-compatible server would have. */
const MODELS: Readonly<Record<string, { shutdown_date: string | null }>> = {
  'gpt-6-luna': { shutdown_date: null },
  'gpt-6-sol': { shutdown_date: null },
  'gpt-4.1': { shutdown_date: '2027-01-14' },
  'gpt-image-2': { shutdown_date: null },
  'gpt-image-2.5-flare': { shutdown_date: null },
  'gpt-audio-1.5': { shutdown_date: null },
  'gpt-4o-mini-tts': { shutdown_date: '2027-01-06' },
  'gpt-transcribe': { shutdown_date: null },
  'whisper-1': { shutdown_date: '2027-02-26' },
  'tts-1': { shutdown_date: '2027-01-06' },
  'sora-2': { shutdown_date: null },
  'compatible-image': { shutdown_date: null },
};

/** The Azure resource's deployments, and the model behind each. */
export const DEPLOYMENTS: Readonly<Record<string, string>> = {
  'team-chat': 'gpt-6-luna',
  'team-image': 'gpt-image-2',
  'team-audio': 'gpt-4o-mini-tts',
  'team-gpt-audio': 'gpt-audio-1.5',
  'team-transcription': 'gpt-transcribe',
};

export function listModels(): object {
  const data = Object.entries(MODELS).map(([id, rest]) => ({ id, object: 'model', created: 1_760_000_000, owned_by: 'stand-in', ...rest }));
  return { object: 'list', data };
}

export function assertModel(model: string): void {
  if (!(model in MODELS)) {
    throw new ApiError(404, `The model '${model}' does not exist or you do not have access to it.`, 'model_not_found', 'model');
  }
}

/** Speaks in Chat Completions, and only there. */
export function isAudioModel(model: string): boolean {
  return model.startsWith('gpt-audio');
}

/** Reasoning models refuse some parameters that the others take. */
export function isReasoningModel(model: string): boolean {
  return model.startsWith('gpt-6');
}
