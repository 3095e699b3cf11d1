import { ResourceNotFoundError, type Server } from '@modelcontextprotocol/server';
import { MAX_PATH_CHARACTERS } from '../limits.ts';
import type { App } from './apps.ts';
import { exchangeOf } from './exchange.ts';
import { cut } from './invalid-arguments.ts';
import type { MediaResources } from './media-resources.ts';

export type ResourcesOptions = Readonly<{
  app: App;
  /** What was made; `undefined` where no state can be stored. */
  media: MediaResources | undefined;
}>;

/** Handles the methods of resources (specification 2025-11-25, server/resources): the app first, then what was made. */
export function handleResources(server: Server, { app, media }: ResourcesOptions): void {
  server.setRequestHandler('resources/list', async ({ params }, context) => {
    const cursor = params?.cursor;
    const { resources = [], ...rest } = (await media?.list(exchangeOf(context).principal.id, cursor)) ?? {};
    return { resources: cursor === undefined ? [app.resource, ...resources] : resources, ...rest };
  });

  server.setRequestHandler('resources/templates/list', () => ({ resourceTemplates: [] }));

  server.setRequestHandler('resources/read', async ({ params: { uri } }, context) => {
    if (uri === app.contents.uri) return { contents: [app.contents] };
    const contents = await media?.read(exchangeOf(context).principal.id, uri);
    if (!contents) throw new ResourceNotFoundError(cut(uri, MAX_PATH_CHARACTERS));
    return { contents: [contents] };
  });
}
