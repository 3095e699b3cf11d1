import type { MediaStore } from './media-store.ts';

/** A copy of a stored result whose links to media are signed again, wherever they are. */
export async function renewLinks(output: Record<string, unknown>, media: Pick<MediaStore, 'renew'>): Promise<Record<string, unknown>> {
  const entries = await Promise.all(Object.entries(output).map(async ([name, value]) => [name, await renewValue(value, media)] as const));
  const renewed = Object.fromEntries(entries);
  const { url } = output;
  const link = typeof url === 'string' && 'content_type' in output ? await media.renew(url) : undefined;
  if (!link) return renewed;
  return { ...renewed, url: link.url, ...(link.expiresAt && { expires_at: link.expiresAt }) };
}

async function renewValue(value: unknown, media: Pick<MediaStore, 'renew'>): Promise<unknown> {
  if (Array.isArray(value)) return Promise.all(value.map((item) => renewValue(item, media)));
  return typeof value === 'object' && value !== null ? renewLinks(value as Record<string, unknown>, media) : value;
}
