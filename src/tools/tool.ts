import type { ContentBlock, ToolAnnotations } from '@modelcontextprotocol/server';
import { z } from 'zod';
import type { Admission } from '../admission.ts';
import type { InputImage } from '../media/input-image.ts';
import type { MediaStore } from '../media/media-store.ts';
import type { Upstream, Upstreams } from '../openai/upstreams.ts';
import type { Clock } from '../ports.ts';

const MODEL_RULE = 'must be a name of at most 200 visible ASCII characters without spaces';

/** The `model` argument of the tools that take one. */
export const modelArgument = z
  .string()
  .regex(/^[!-~]{1,200}$/, MODEL_RULE)
  // Dots alone would lead out of a path.
  .refine((name) => !/^\.+$/.test(name), MODEL_RULE)
  .optional()
  .describe('Model, or Azure deployment.');

/** The arguments that the caller has set, which alone are sent upstream. */
export function omitUndefined(args: object) {
  return Object.fromEntries(Object.entries(args).filter(([, value]) => value !== undefined));
}

/** What tools work with, made once by `gateway.ts`. */
export type ToolServices = Readonly<{
  upstreams: Upstreams;
  media: MediaStore;
  admission: Admission;
  /** Reads an image from a URL that an upstream has responded with. */
  downloadImage: (url: string, upstream: Upstream) => Promise<Uint8Array<ArrayBuffer>>;
  /** Reads a URL that a caller has given. */
  readInputImage: (url: string, signal: AbortSignal) => Promise<InputImage>;
  /** Writes an event into the log. */
  logInfo: (event: string, fields: Record<string, unknown>) => void;
  clock: Clock;
  /** Returns the promise, and sees to it that the work behind it is finished even when the client has gone. */
  finish: <Result>(work: Promise<Result>) => Promise<Result>;
}>;

/** The services, and what belongs to one call. */
export type ToolContext = ToolServices &
  Readonly<{
    /** Aborted when the client goes away or asks to stop. */
    signal: AbortSignal;
    requestId: string;
    /** Writes an event of this call into the log. */
    log: (event: string, fields: Record<string, unknown>) => void;
    /** Whether the client wants to know how far the work is. */
    wantsProgress: boolean;
    /** Tells it, if it does. */
    progress: (message: string) => void;
  }>;

/**
 * One MCP tool. The zod schemas are the only declaration of its shapes: types, validation and the JSON Schemas of
 * `tools/list` come from them.
 */
export type Tool<Input extends z.ZodObject = z.ZodObject, Output extends z.ZodObject = z.ZodObject> = Readonly<{
  name: string;
  title: string;
  /** Written for a model that decides whether and how to call the tool. */
  description: string;
  /** What it is doing while a client waits: "generating image". */
  activity: string;
  annotations: ToolAnnotations;
  input: Input;
  output: Output;
  /** Does the work. Throws a `GatewayError` for every failure it knows. */
  handler(input: z.output<Input>, context: ToolContext): Promise<z.input<Output>>;
  /** The content blocks for clients that do not read structuredContent. */
  present(output: z.output<Output>): ContentBlock[];
}>;

/** Identity; it ties the types of the schemas to those of the handler. */
export function defineTool<Input extends z.ZodObject, Output extends z.ZodObject>(tool: Tool<Input, Output>): Tool<Input, Output> {
  return tool;
}
