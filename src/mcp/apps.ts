import type { Resource, TextResourceContents } from '@modelcontextprotocol/server';
import { MEDIA_PAGE } from './apps/media-page.ts';

/** The page that a host shows with the results of media tools. */
const MEDIA_URI = 'ui://gateway/media.html';
const MIME_TYPE = 'text/html;profile=mcp-app';

/** What a server with MCP Apps (specification 2026-01-26) adds to its extensions. */
export const APPS_EXTENSION = { 'io.modelcontextprotocol/ui': { mimeTypes: [MIME_TYPE] } };

/** What a tool adds to its definition whose results the page shows. */
export const MEDIA_APP_META = { ui: { resourceUri: MEDIA_URI } };

/** An MCP App, as it is listed and as it is read. */
export type App = Readonly<{ uri: string; resource: () => Resource; contents: () => TextResourceContents }>;

/** The page may load media from `publicOrigins`, and nothing else: no files of the machine, which have no origin. */
export function createMediaApp(publicOrigins: () => readonly string[]): App {
  function common() {
    const resourceDomains = publicOrigins().filter((origin) => origin.startsWith('http'));
    const ui = {
      ...(resourceDomains.length > 0 && { csp: { resourceDomains } }),
      permissions: { clipboardWrite: {} },
      prefersBorder: true,
    };
    return { uri: MEDIA_URI, mimeType: MIME_TYPE, _meta: { ui } };
  }
  return {
    uri: MEDIA_URI,
    resource: () => ({ ...common(), name: 'media', title: 'Media' }),
    contents: () => ({ ...common(), text: MEDIA_PAGE }),
  };
}
