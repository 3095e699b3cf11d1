import type { ContentBlock } from '@modelcontextprotocol/server';
import * as z from 'zod';
import { GatewayError } from '../errors.ts';
import type { SavedMedia } from '../media/media-store.ts';
import { type ToolContext, UNPUBLISHED } from './tool.ts';

/** A stored file in a tool's result. */
export const storedFile = z.object({
  url: z.string(),
  content_type: z.string(),
  bytes: z.int(),
  expires_at: z.string().optional(),
  warning: z.string().optional().meta(UNPUBLISHED),
});
type StoredFile = z.output<typeof storedFile>;

export function toFile({ url, contentType, bytes, expiresAt, warning }: SavedMedia): z.input<typeof storedFile> {
  return { url, content_type: contentType, bytes, ...(expiresAt && { expires_at: expiresAt }), ...(warning && { warning }) };
}

/** A resource link to each file, followed by its warning. */
export function resourceLinks(files: readonly StoredFile[]): ContentBlock[] {
  return files.flatMap(({ url, content_type, bytes, warning }): ContentBlock[] => {
    const name = new URL(url).pathname.split('/').at(-1) ?? '';
    const link: ContentBlock = { type: 'resource_link', uri: url, name, mimeType: content_type, size: bytes };
    return warning ? [link, { type: 'text', text: warning }] : [link];
  });
}

/**
 * Stores billed media. Logs its name before the first attempt, so that the operator can always find the blob. Throws
 * `media_lost` when it cannot be stored: `what` is "the image was".
 */
export async function storeBilled(name: string, what: string, { log }: ToolContext, save: () => Promise<SavedMedia>) {
  log('storing', { blob: name });
  return toFile(await orLost(what, save));
}

/** Stores what is billed; throws `media_lost` when that is impossible. */
export async function orLost<Saved>(what: string, save: () => Promise<Saved>): Promise<Saved> {
  try {
    return await save();
  } catch (error) {
    if (!(error instanceof GatewayError) || error.failure.kind !== 'storage') throw error;
    throw new GatewayError({ kind: 'media_lost', what, reason: error.failure }, { cause: error });
  }
}
