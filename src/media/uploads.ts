import * as z from 'zod';
import type { Admission } from '../admission.ts';
import { GatewayError, type UploadProblem } from '../errors.ts';
import { MAX_UPLOAD_BYTES, MAX_UPLOAD_TOKEN_CHARACTERS, MIN_BODY_BYTES_PER_MINUTE, UPLOAD_TIMEOUT_MS } from '../limits.ts';
import type { Runtime } from '../ports.ts';
import type { StateKeys } from '../state-key.ts';
import { type BodyOptions, declaredLength, openBody } from '../streams/body.ts';
import { HEAD_BYTES, recogniseImage, recogniseSound } from './formats.ts';
import { type MediaStore, type SavedMedia, UPLOAD_BYTES } from './media-store.ts';

/** Whoever an upload belongs to. */
type Owner = Readonly<{ id: string; name: string }>;

type UploadTicket = Readonly<{
  /** Whoever has it may upload one file until it expires. */
  token: string;
  /** Where the file will be. */
  link: Pick<SavedMedia, 'url' | 'expiresAt'>;
  expiresAt: string;
  maxBytes: number;
}>;

type ReceivedUpload = Readonly<{ id: string; owner: Owner; startedMs: number; file: SavedMedia }>;

/** Files that clients hand over, so that no model has to pass them on. */
export type Uploads = Readonly<{
  /** Throws when media cannot be stored. */
  issue: (owner: Owner) => Promise<UploadTicket>;
  /** Stores the body of a request. Throws `upload_refused`, `busy`, or why it cannot be stored. */
  receive: (token: string, request: Request) => Promise<ReceivedUpload>;
  inFlight: () => number;
}>;

export type UploadsOptions = Readonly<{
  media: MediaStore;
  /** Seals the tokens, so that no state is needed. */
  keys: Pick<StateKeys, 'seal' | 'open'>;
  admission: Admission;
  /** The largest file that the tools take here. */
  maxInputBytes: number;
  /** Told the URL of each request whose token is good. */
  onKnown: (requestUrl: string) => void;
  runtime: Pick<Runtime, 'now' | 'sleep' | 'timeLimit' | 'randomUUID'>;
}>;

/** Binds the tokens to their purpose. */
const PURPOSE = 'upload';

const ticketContent = z.object({ owner: z.object({ id: z.string(), name: z.string() }), id: z.string(), issued_ms: z.number() });
type TicketContent = z.output<typeof ticketContent>;

export function createUploads({ media, keys, admission, maxInputBytes, onKnown, runtime }: UploadsOptions): Uploads {
  const maxBytes = Math.min(MAX_UPLOAD_BYTES, maxInputBytes);
  let inFlight = 0;

  const refused = (problem: UploadProblem, cause?: unknown) => new GatewayError({ kind: 'upload_refused', problem, maxBytes }, { cause });

  /** Without an extension, as the format is not known yet. */
  const nameOf = ({ id, issued_ms }: TicketContent) => media.jobName('upload', issued_ms, id);

  async function issue(owner: Owner): Promise<UploadTicket> {
    await media.assertReady();
    const ticket = { owner, id: runtime.randomUUID(), issued_ms: runtime.now() };
    const sealed = await keys.seal(PURPOSE, JSON.stringify(ticket));
    return {
      token: sealed.toBase64({ alphabet: 'base64url', omitPadding: true }),
      link: await media.link(nameOf(ticket)),
      expiresAt: new Date(ticket.issued_ms + UPLOAD_TIMEOUT_MS).toISOString(),
      maxBytes,
    };
  }

  async function open(token: string): Promise<TicketContent> {
    const sealed = token.length <= MAX_UPLOAD_TOKEN_CHARACTERS ? bytesOf(token) : undefined;
    const text = sealed && (await keys.open(PURPOSE, sealed));
    const ticket = text === undefined ? undefined : ticketContent.safeParse(JSON.parse(text)).data;
    if (!ticket) throw refused('unknown');
    if (runtime.now() - ticket.issued_ms > UPLOAD_TIMEOUT_MS) throw refused('expired');
    return ticket;
  }

  async function store(ticket: TicketContent, request: Request): Promise<SavedMedia> {
    const name = nameOf(ticket);
    await media.assertReady();
    // Before the body is read; two uploads at once are told apart by the store.
    if (await media.find(name)) throw refused('used');
    const { head, reader } = await openBody(new Response(request.body, { headers: request.headers }), HEAD_BYTES, bodyOptions());
    const format = recogniseImage(head) ?? recogniseSound(head);
    if (!format) {
      await reader.cancel();
      throw refused(head.byteLength === 0 ? 'empty' : 'unsupported');
    }
    const file = await media.saveStream(name, { body: reader, repeatable: true }, format);
    if (file.existed) throw refused('used');
    return file;
  }

  function toError(problem: string, cause?: unknown): GatewayError {
    if (problem.includes('larger than')) return refused('too_large', cause);
    return refused(problem.includes('took longer') || problem.includes('stalled') ? 'too_slow' : 'broken', cause);
  }

  function bodyOptions(): BodyOptions {
    return { clock: runtime, maxBytes, timeoutMs: UPLOAD_TIMEOUT_MS, minBytesPerMinute: MIN_BODY_BYTES_PER_MINUTE, toError };
  }

  async function receive(token: string, request: Request): Promise<ReceivedUpload> {
    const startedMs = runtime.now();
    const ticket = await open(token);
    onKnown(request.url);
    if ((request.headers.get('content-encoding') ?? 'identity') !== 'identity') throw refused('encoded');
    if ((declaredLength(request.headers) ?? 0) > maxBytes) throw refused('too_large');
    const { release } = admission.admit(UPLOAD_BYTES, request.signal);
    try {
      return { id: ticket.id, owner: ticket.owner, startedMs, file: await store(ticket, request) };
    } finally {
      release();
    }
  }

  return {
    issue,
    async receive(token, request) {
      inFlight++;
      return receive(token, request).finally(() => inFlight--);
    },
    inFlight: () => inFlight,
  };
}

function bytesOf(token: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.fromBase64(token, { alphabet: 'base64url' });
  } catch {
    return undefined;
  }
}
