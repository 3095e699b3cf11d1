/** Where clients reach the gateway: what links to itself begin with, also those of results that nobody waits for. */
export type OwnUrl = Readonly<{
  /** Without a trailing slash; the first one is for new links. Empty until one is known. */
  all: () => readonly string[];
  /** To be told the URL of a request, once its sender is known: anyone else may name any host. */
  learn: (requestUrl: string | undefined) => void;
}>;

/** A domain of its own besides that of workers.dev, and some more; routes with a wildcard have any number. */
const MAX_LEARNED = 8;

/** What the operator has set, or else what clients use. */
export function createOwnUrl(configured: string | undefined): OwnUrl {
  if (configured !== undefined) return { all: () => [configured], learn: () => {} };
  const learned: string[] = [];
  return {
    all: () => learned,
    learn(requestUrl) {
      if (requestUrl === undefined) return;
      const { origin } = new URL(requestUrl);
      if (learned.length < MAX_LEARNED && !learned.includes(origin)) learned.push(origin);
    },
  };
}

/** The URL of an address that a server listens on. */
export function urlOfAddress({ host, port }: Readonly<{ host: string; port: number }>): string {
  return `http://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${port}`;
}
