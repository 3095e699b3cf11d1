import { ProtocolError, ProtocolErrorCode, type Resource } from '@modelcontextprotocol/server';
import { type History, idOf, type MadeMedia } from '../jobs/history.ts';
import { toMadeFile } from '../tools/list-media.ts';
import type { ToolServices } from '../tools/tool.ts';

/** What a principal has made, as MCP resources: the same records as those of `list_media`, one for each file. */
export type MediaResources = Readonly<{
  /** Newest first. Throws -32602 for a cursor that is not one of ours (specification 2025-11-25, server/utilities/pagination). */
  list: (principalId: string, cursor: string | undefined) => Promise<{ resources: Resource[]; nextCursor?: string }>;
  /** The record as JSON, with a link that is valid from now on: never the bytes. `undefined` if there is none. */
  read: (principalId: string, uri: string) => Promise<{ uri: string; mimeType: string; text: string } | undefined>;
}>;

const URI = /^gateway:\/\/media\/(\d{4}-\d\d-\d\d)\/([\w-]{1,100})\/(\d{1,3})$/;
const MIME_TYPE = 'application/json';
const PAGE_SIZE = 50;

export function createMediaResources(history: History, { media }: Pick<ToolServices, 'media'>): MediaResources {
  return {
    async list(principalId, cursor) {
      const toMs = cursor === undefined ? undefined : timeOf(cursor);
      const { media: made, nextMs } = await history.list(principalId, { toMs, limit: PAGE_SIZE });
      return { resources: made.map(toResource), ...(nextMs !== undefined && { nextCursor: String(nextMs) }) };
    },
    async read(principalId, uri) {
      const [, day, call, number] = URI.exec(uri) ?? [];
      const made = day && call ? await history.find(principalId, { day, call, number: Number(number) }) : undefined;
      return made && { uri, mimeType: MIME_TYPE, text: JSON.stringify(await toMadeFile(made, { media })) };
    },
  };
}

function timeOf(cursor: string): number {
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor);
  throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'Invalid cursor: pass the nextCursor of an earlier page.');
}

function toResource(made: MadeMedia): Resource {
  const { entry, file } = made;
  const { day, call, number } = idOf(made);
  const name = new URL(file.url).pathname.split('/').at(-1) ?? call;
  const size = file.width === undefined ? [] : [`${file.width}x${file.height}`];
  const facts = [file.content_type, ...size, `${file.bytes} bytes`, entry.tool, ...(entry.model ? [entry.model] : [])];
  const description = [...facts, new Date(entry.started_ms).toISOString(), file.url].join(', ');
  const title = entry.prompt === undefined ? {} : { title: entry.prompt.slice(0, 100) };
  return { uri: `gateway://media/${day}/${call}/${number}`, name, ...title, description, mimeType: MIME_TYPE };
}
