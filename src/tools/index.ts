import { chatCompletion } from './chat-completion.ts';
import { editImage } from './edit-image.ts';
import { generateImage } from './generate-image.ts';
import { generateVideo } from './generate-video.ts';
import { listSupportedModels } from './list-supported-models.ts';
import { synthesizeSpeech } from './synthesize-speech.ts';
import { transcribeAudio } from './transcribe-audio.ts';

/** The tools of the gateway, in the order of `tools/list`. */
export const tools = [
  chatCompletion,
  generateImage,
  editImage,
  synthesizeSpeech,
  transcribeAudio,
  generateVideo,
  listSupportedModels,
] as const;
