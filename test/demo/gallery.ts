import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import { NONCE, secureHeaders } from 'hono/secure-headers';
import type { Outcome } from './calls.ts';
import { type Exhibit, galleryPage } from './gallery-page.ts';
import type { DemoStore } from './stores.ts';

export type GalleryOptions = Readonly<{
  gatewayUrl: string;
  /** The gateway's bearer token: shown, as it is the demo's own. */
  key: string;
  store: Pick<DemoStore, 'linkOrigin' | 'list'>;
  /** Of the demo's calls; may grow. */
  outcomes: readonly Outcome[];
}>;

/** Names under which this machine is reached: another would be a site that has pointed its own name here. */
const LOOPBACK = /^(127\.0\.0\.1|localhost)(:\d+)?$/;

/** Serves on loopback a page of everything in the container; on any free port when this one is taken. */
export async function startGallery(options: GalleryOptions, port: number): Promise<{ url: string; close: () => Promise<void> }> {
  const server = createAdaptorServer({ fetch: createGallery(options).fetch, overrideGlobalObjects: false });
  const listen = async (wanted: number) => {
    server.listen(wanted, '127.0.0.1');
    await once(server, 'listening');
  };
  await listen(port).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error;
    return listen(0);
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: async () => {
      if ('closeAllConnections' in server) server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function createGallery(options: GalleryOptions): Hono {
  const origin = options.store.linkOrigin;
  const app = new Hono();
  app.use(async (c, next) => (LOOPBACK.test(c.req.header('host') ?? '') ? next() : c.text('Forbidden host', 403)));
  app.use(
    secureHeaders({
      strictTransportSecurity: false,
      contentSecurityPolicy: {
        defaultSrc: ["'none'"],
        styleSrc: [NONCE],
        imgSrc: [origin, 'data:'],
        mediaSrc: [origin],
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
      },
    }),
  );
  app.get('/', async (c) => {
    c.header('Cache-Control', 'no-store');
    return c.html(galleryPage({ ...options, exhibits: await listExhibits(options), nonce: c.get('secureHeadersNonce') ?? '' }));
  });
  return app;
}

/** The files in the store, newest first: what the demo made, and what any other client has made since. */
async function listExhibits({ store, outcomes }: GalleryOptions): Promise<Exhibit[]> {
  const files = await store.list();
  const thumbnailOf = (name: string) => files.find((file) => file.name.startsWith(`${name.replace(/\.\w+$/, '')}-thumbnail.`))?.url;
  return files
    .filter(({ name }) => !/-(thumbnail|spritesheet)\.\w+$/.test(name))
    .toSorted((one, other) => other.createdMs - one.createdMs)
    .map(({ name, url, contentType, bytes }) => {
      const args = outcomes.find(({ urls }) => urls.some((made) => withoutQuery(made) === withoutQuery(url)))?.call.arguments;
      return {
        url,
        contentType,
        bytes,
        title: String(args?.prompt ?? args?.input ?? name.split('/').at(-1)),
        poster: thumbnailOf(name),
      };
    });
}

/** A signature is another each time. */
const withoutQuery = (url: string) => url.split('?', 1)[0];
