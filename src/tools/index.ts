import { chatCompletion } from './chat-completion.ts';
import { createUpload } from './create-upload.ts';
import { editImage } from './edit-image.ts';
import { withFallback } from './fallback.ts';
import { generateImage } from './generate-image.ts';
import { generateVideo, mayBeKnownToSecond } from './generate-video.ts';
import { listMedia } from './list-media.ts';
import { listSupportedModels } from './list-supported-models.ts';
import { synthesizeSpeech } from './synthesize-speech.ts';
import { transcribeAudio } from './transcribe-audio.ts';

/** The tools of the gateway, in the order of `tools/list`. */
export const tools = [
  withFallback('chat', chatCompletion),
  withFallback('image', generateImage),
  withFallback('image', editImage),
  withFallback('audio', synthesizeSpeech),
  withFallback('transcription', transcribeAudio),
  withFallback('video', generateVideo, mayBeKnownToSecond),
  createUpload,
  listMedia,
  listSupportedModels,
] as const;
