import type { ContentBlock } from '@modelcontextprotocol/server';
import * as z from 'zod';
import { GatewayError } from '../errors.ts';
import { HISTORY_DAYS, HISTORY_DAYS_AT_ONCE, type MadeMedia } from '../jobs/history.ts';
import { DAY_MS } from '../utc-day.ts';
import { resourceLinks } from './stored-file.ts';
import { defineTool, type ToolContext } from './tool.ts';

const DAY = /^\d{4}-\d\d-\d\d$/;
const DEFAULT_LIMIT = 20;
const KINDS = ['image', 'audio', 'video', 'text'] as const;

const time = z
  .string()
  .refine(
    (text) => DAY.test(text) || z.iso.datetime({ offset: true }).safeParse(text).success,
    'must be a date such as 2026-11-25, or an ISO 8601 time',
  )
  .refine((text) => !Number.isNaN(Date.parse(text)), 'is no such date')
  .optional();

/** A file that was made, and how. Its URL is fresh. */
const madeFile = z.object({
  url: z.string(),
  content_type: z.string(),
  bytes: z.int(),
  tool: z.string(),
  created_at: z.string(),
  model: z.string().optional(),
  width: z.int().optional(),
  height: z.int().optional(),
  cost_usd: z.number().optional(),
  prompt: z.string().optional(),
  expires_at: z.string().optional(),
});
export type MadeFile = z.input<typeof madeFile>;

export const listMedia = defineTool({
  name: 'list_media',
  title: 'List media',
  description:
    'Find images, audio, videos and uploads that were made here before, newest first, with fresh URLs. Use it to find earlier work again; not after each call, whose result has the URL. Example: {"from": "2026-11-24", "kind": "image"}. Free.',
  activity: 'listing media',
  annotations: { readOnlyHint: true, openWorldHint: false },
  input: z
    .strictObject({
      from: time.describe(`First day (UTC) or time. Default: ${HISTORY_DAYS} days ago; ${HISTORY_DAYS_AT_ONCE} are searched at once.`),
      to: time.describe('Last day or time. Default: now.'),
      kind: z.enum(KINDS).optional().describe('Default: all.'),
      tool: z.string().max(64).optional().describe('The tool that made it.'),
      limit: z.int().min(1).max(100).optional().describe(`Up to 100. Default: ${DEFAULT_LIMIT}.`),
    })
    .refine(({ from, to }) => !from || !to || Date.parse(from) <= endOf(to), { path: ['from'], message: 'must not be after to' }),
  aliases: { day: 'from', date: 'from', since: 'from', until: 'to', type: 'kind' },
  app: true,
  output: z.object({ media: z.array(madeFile), next_to: z.string().optional() }),

  async handler({ from, to, kind, tool, limit = DEFAULT_LIMIT }, context) {
    const { history, principal } = context;
    if (!history) {
      await context.media.assertReady();
      throw new GatewayError({
        kind: 'not_configured',
        what: 'Storage that remembers media',
        variables: ['AZURE_STORAGE_CONNECTION_STRING'],
      });
    }
    const { media, nextMs } = await history.list(principal.id, {
      fromMs: from === undefined ? undefined : Date.parse(from),
      toMs: to === undefined ? undefined : endOf(to),
      matches: ({ entry, file }) => (!kind || file.content_type.startsWith(`${kind}/`)) && (!tool || entry.tool === tool),
      limit,
    });
    const files = await Promise.all(media.map((made) => toMadeFile(made, context)));
    return { media: files, ...(nextMs !== undefined && { next_to: new Date(nextMs).toISOString() }) };
  },

  present({ media, next_to }): ContentBlock[] {
    const lines = media.map(
      ({ url, content_type, tool, created_at, model }) => `${url} (${content_type}, ${created_at}, ${tool}${model ? `, ${model}` : ''})`,
    );
    const rest = next_to ? [`There may be more: pass to "${next_to}".`] : [];
    return [{ type: 'text', text: [...(media.length > 0 ? lines : ['Nothing was found.']), ...rest].join('\n') }, ...resourceLinks(media)];
  },
});

/** The record of a file, with a link that is valid from now on. */
export async function toMadeFile({ entry, file }: MadeMedia, { media }: Pick<ToolContext, 'media'>): Promise<MadeFile> {
  const { tool, model, cost_usd, prompt, started_ms } = entry;
  const link = await media.renew(file.url);
  return {
    ...file,
    ...(link && { url: link.url }),
    tool,
    created_at: new Date(started_ms).toISOString(),
    ...(model !== undefined && { model }),
    ...(cost_usd !== undefined && { cost_usd }),
    ...(prompt !== undefined && { prompt }),
    ...(link?.expiresAt && { expires_at: link.expiresAt }),
  };
}

/** The last millisecond of a day, or the time itself. */
function endOf(text: string): number {
  return DAY.test(text) ? Date.parse(text) + DAY_MS - 1 : Date.parse(text);
}
