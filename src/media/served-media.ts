import type { MediaSettings } from './media-store.ts';
import { isObjectName, type ObjectInfo, type ServedStore } from './object-store.ts';

/** The media that the gateway serves to anyone who knows its name. */
export type ServedMedia = Readonly<{
  /** `undefined` for whatever is not media, such as the state of jobs. */
  find: (name: string) => Promise<ObjectInfo | undefined>;
  stream: ServedStore['stream'];
}>;

/** Below the root, a day, then the file: where nothing but media is. */
const DATED = /^\d{4}\/\d\d\/\d\d\/[^/]+$/;

export function createServedMedia(store: ServedStore, { pathPrefix, roots }: Pick<MediaSettings, 'pathPrefix' | 'roots'>): ServedMedia {
  const starts = Object.values(roots).map((root) => `${pathPrefix === undefined ? '' : `${pathPrefix}/`}${root}/`);
  const isMedia = (name: string) =>
    isObjectName(name) && starts.some((start) => name.startsWith(start) && DATED.test(name.slice(start.length)));
  return { find: async (name) => (isMedia(name) ? store.head(name) : undefined), stream: store.stream };
}
