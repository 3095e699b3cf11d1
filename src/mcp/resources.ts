import { ResourceNotFoundError, type Server } from '@modelcontextprotocol/server';
import { MAX_PATH_CHARACTERS } from '../limits.ts';
import type { App } from './apps.ts';
import { cut } from './invalid-arguments.ts';

export type ResourcesOptions = Readonly<{ app: App }>;

/** Handles the methods of resources (specification 2025-11-25, server/resources). */
export function handleResources(server: Server, { app }: ResourcesOptions): void {
  server.setRequestHandler('resources/list', () => ({ resources: [app.resource] }));

  server.setRequestHandler('resources/templates/list', () => ({ resourceTemplates: [] }));

  server.setRequestHandler('resources/read', ({ params: { uri } }) => {
    if (uri === app.contents.uri) return { contents: [app.contents] };
    throw new ResourceNotFoundError(cut(uri, MAX_PATH_CHARACTERS));
  });
}
