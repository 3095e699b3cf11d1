import { ResourceNotFoundError, type Server, type ServerContext } from '@modelcontextprotocol/server';
import { mayUse } from '../auth/principal.ts';
import { MAX_PATH_CHARACTERS } from '../limits.ts';
import { listMedia } from '../tools/list-media.ts';
import type { App } from './apps.ts';
import { exchangeOf } from './exchange.ts';
import { cut } from './invalid-arguments.ts';
import type { MediaResources } from './media-resources.ts';

export type ResourcesOptions = Readonly<{
  app: App;
  /** What was made; `undefined` where no state can be stored. */
  media: MediaResources | undefined;
}>;

/**
 * Handles the methods of resources (specification 2025-11-25, server/resources): the app first, then what was made, for a
 * principal that may list it with the tool.
 */
export function handleResources(server: Server, { app, media: all }: ResourcesOptions): void {
  function mediaOf(context: ServerContext): { principalId: string; media: MediaResources | undefined } {
    const { principal } = exchangeOf(context);
    return { principalId: principal.id, media: mayUse(principal, listMedia.name) ? all : undefined };
  }

  server.setRequestHandler('resources/list', async ({ params }, context) => {
    const cursor = params?.cursor;
    const { principalId, media } = mediaOf(context);
    const { resources = [], ...rest } = (await media?.list(principalId, cursor)) ?? {};
    return { resources: cursor === undefined ? [app.resource(), ...resources] : resources, ...rest };
  });

  server.setRequestHandler('resources/templates/list', () => ({ resourceTemplates: [] }));

  server.setRequestHandler('resources/read', async ({ params: { uri } }, context) => {
    if (uri === app.uri) return { contents: [app.contents()] };
    const { principalId, media } = mediaOf(context);
    const contents = await media?.read(principalId, uri);
    if (!contents) throw new ResourceNotFoundError(cut(uri, MAX_PATH_CHARACTERS));
    return { contents: [contents] };
  });
}
