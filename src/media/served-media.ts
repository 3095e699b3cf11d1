import type { MediaSettings } from './media-store.ts';
import { isObjectName, type ObjectInfo, type ServedStore } from './object-store.ts';

/** The media that the gateway serves to anyone who knows its name. */
export type ServedMedia = Readonly<{
  /** `undefined` for whatever is not media, such as the state of jobs. */
  find: (name: string) => Promise<ObjectInfo | undefined>;
  stream: ServedStore['stream'];
  /** What its URL responds, without a request, which a Worker could not send to itself; `undefined` for other hosts. */
  respond: (url: string) => Promise<Response | undefined>;
}>;

/** Below the root, a day, then the file: where nothing but media is. */
const DATED = /^\d{4}\/\d\d\/\d\d\/[^/]+$/;

export function createServedMedia(store: ServedStore, { pathPrefix, roots }: Pick<MediaSettings, 'pathPrefix' | 'roots'>): ServedMedia {
  const starts = Object.values(roots).map((root) => `${pathPrefix === undefined ? '' : `${pathPrefix}/`}${root}/`);
  const isMedia = (name: string) =>
    isObjectName(name) && starts.some((start) => name.startsWith(start) && DATED.test(name.slice(start.length)));
  const find: ServedMedia['find'] = async (name) => (isMedia(name) ? store.head(name) : undefined);
  return {
    find,
    stream: store.stream,
    async respond(url) {
      if (!store.linkOrigins().some((origin) => url.startsWith(`${origin}/`))) return undefined;
      const name = store.nameOf(url) ?? '';
      const found = await find(name);
      if (!found) return new Response(null, { status: 404 });
      const { bytes, contentType, etag } = found;
      const headers = { 'content-type': contentType, 'content-length': String(bytes) };
      return new Response(await store.stream(name, etag, 0, bytes), { headers });
    },
  };
}
