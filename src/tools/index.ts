import { chatCompletion } from './chat-completion.ts';
import { generateImage } from './generate-image.ts';
import { listSupportedModels } from './list-supported-models.ts';

/** The tools of the gateway, in the order of `tools/list`. */
export const tools = [chatCompletion, generateImage, listSupportedModels] as const;
