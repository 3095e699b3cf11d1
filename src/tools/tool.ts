import type { ContentBlock, ToolAnnotations } from '@modelcontextprotocol/server';
import * as z from 'zod';
import type { Admission } from '../admission.ts';
import type { Principal } from '../auth/principal.ts';
import type { Measures } from '../events.ts';
import type { History } from '../jobs/history.ts';
import type { InputImage, InputRequest } from '../media/input-file.ts';
import type { MediaStore } from '../media/media-store.ts';
import type { PieceStore } from '../media/piece-store.ts';
import type { Uploads } from '../media/uploads.ts';
import type { ModelCatalog } from '../openai/model-catalog.ts';
import type { Upstream, Upstreams } from '../openai/upstreams.ts';
import type { Clock, ShrinkImage } from '../ports.ts';
import type { Estimate } from '../usage/cost.ts';
import type { Prices } from '../usage/prices.ts';
import type { Measure } from './measures.ts';
import type { Picture } from './previews.ts';

const MODEL_RULE = 'must be a name of at most 200 visible ASCII characters without spaces';

/** The `model` argument of the tools that take one. */
export const modelArgument = z
  .string()
  .regex(/^[!-~]{1,200}$/, MODEL_RULE)
  // Only dots would allow path traversal.
  .refine((name) => !/^\.+$/.test(name), MODEL_RULE)
  .optional()
  .describe('See list_supported_models.');

export const PUBLISHED = 'published';

/**
 * Metadata for an argument that accepts several forms: the plain JSON Schema that `tools/list` shows instead, as some
 * clients and model providers reject unions.
 */
export function publishedAs(schema: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return { [PUBLISHED]: schema };
}

/** Metadata for a field of results that `tools/list` leaves out, as models need not know of it beforehand. */
export const UNPUBLISHED = publishedAs({ isHidden: true });

/** Only the arguments the caller has set, as nothing else is sent upstream. */
export function omitUndefined(args: object) {
  return Object.fromEntries(Object.entries(args).filter(([, value]) => value !== undefined));
}

/** What tools depend on; created once, by `gateway.ts`. */
export type ToolServices = Readonly<{
  upstreams: Upstreams;
  models: ModelCatalog;
  prices: Prices;
  media: MediaStore;
  /** Keeps what is paid for until it is complete; `undefined` where no state can be stored. */
  pieces: PieceStore | undefined;
  admission: Admission;
  uploads: Pick<Uploads, 'issue'>;
  /** What was made before; `undefined` where no state can be stored. */
  history: History | undefined;
  /** Reads an image from a URL returned by an upstream. */
  downloadImage: (url: string, upstream: Upstream) => Promise<Uint8Array<ArrayBuffer>>;
  /** Reads an image from a URL passed by a caller. */
  readInputImage: (request: InputRequest, signal: AbortSignal) => Promise<InputImage>;
  /** Reads any file from such a URL. */
  readInput: (request: InputRequest, signal: AbortSignal) => Promise<Uint8Array<ArrayBuffer>>;
  /** What all the files that a call passes may take together. */
  maxInputBytes: number;
  shrinkImage: ShrinkImage;
  /** Logs an event. */
  logInfo: (event: string, fields: Record<string, unknown>) => void;
  clock: Clock;
}>;

/** The services, and the state of one call. */
export type ToolContext = ToolServices &
  Readonly<{
    principal: Principal;
    /** Aborted when nobody waits any longer for what was not sent yet. */
    signal: AbortSignal;
    /** Whether what has been sent is finished even when the client leaves, as somebody may collect it. */
    isKept: boolean;
    /** How long the work may take; a job has all the time it needs. */
    waitMs: number;
    /** Remembers what the upstream calls the work, so that it can be continued after a crash. */
    checkpoint: (id: string) => void;
    requestId: string;
    /** The base URL under which the client reaches the gateway; `undefined` if that is not known. */
    publicUrl: string | undefined;
    /** Logs an event with the id of this call. */
    log: (event: string, fields: Record<string, unknown>) => void;
    /** Adds to what the log says about this call. */
    measure: Measure;
    /** What has been added. */
    measures: Measures;
    /** Whether the client has asked for progress. */
    wantsProgress: boolean;
    /** Reports progress, if the client has asked for it. */
    progress: (message: string, percent?: number) => void;
  }>;

/** How a paid tool runs as a job: always, or only with an idempotency key or when it takes longer than its call waits. */
type JobOptions<Input> = Readonly<{
  runs: 'always' | 'if_slow';
  /** For work that the upstream itself remembers. */
  upstreamJob?: Readonly<{
    /** The argument, and the field of the result, with what the upstream calls the work. */
    name: string;
    /** The arguments that continue it. */
    continueFrom(checkpoint: string): Input;
    /** Whether a call only continues such work, which is free. */
    isContinued(input: Input): boolean;
  }>;
}>;

/**
 * One MCP tool. The zod schemas are the single source of its types, its validation and its JSON Schemas in
 * `tools/list`.
 */
export type Tool<Input extends z.ZodObject = z.ZodObject, Output extends z.ZodObject = z.ZodObject> = Readonly<{
  name: string;
  title: string;
  /** Read by the model that decides whether and how to call the tool. */
  description: string;
  /** Shown as progress while a client waits: "generating image". */
  activity: string;
  /** Those that differ from the defaults (specification 2025-11-25, schema, ToolAnnotations). */
  annotations: ToolAnnotations;
  input: Input;
  /** Names that models confuse with those of arguments, and the arguments they mean. */
  aliases?: Readonly<Record<string, string>>;
  output: Output;
  /** Whether the result is media, which hosts with MCP Apps show in the chat. */
  app?: true;
  /** For tools whose calls are billed. */
  job?: JobOptions<z.output<Input>> | undefined;
  /** Throws what makes the call impossible, before anything is recorded or sent. */
  check?(input: z.output<Input>, context: ToolContext): Promise<void>;
  /** What a new call will cost at most, as far as that can be known before it is sent; for tools whose calls are billed. */
  estimate?(input: z.output<Input>, context: ToolContext): Estimate;
  /** Does the work, after the check. Throws a `GatewayError` for every failure it knows. */
  handler(input: z.output<Input>, context: ToolContext): Promise<z.input<Output>>;
  /** The content blocks, for clients that do not read structuredContent. */
  present(output: z.output<Output>): ContentBlock[];
  /** The pictures in a result, for a tool that makes some: its callers may ask for a preview of each. */
  pictures?(output: z.output<Output>): readonly Picture[];
}>;

/** The identity function; infers the handler's types from the schemas. */
export function defineTool<Input extends z.ZodObject, Output extends z.ZodObject>(tool: Tool<Input, Output>): Tool<Input, Output> {
  return tool;
}
