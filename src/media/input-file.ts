import ipaddr from 'ipaddr.js';
import { GatewayError } from '../errors.ts';
import type { Clock } from '../ports.ts';
import { declaredLength } from '../streams/body.ts';
import { DownloadError, download } from './download.ts';
import { type ImageInfo, inspectImage } from './formats.ts';

export type InputImage = ImageInfo & Readonly<{ bytes: Uint8Array<ArrayBuffer> }>;

/** What a tool says of the file it wants. */
export type InputRequest = Readonly<{
  url: string;
  /** The argument that contains the URL, for errors. */
  argument: string;
  maxBytes: number;
  timeoutMs: number;
  /** Told the declared length before the body is read; what it throws is thrown. */
  onLength?: (bytes: number | undefined) => void;
}>;

export type InputOptions = Readonly<{
  /** Hosts that the operator allows, each with its port unless that is the default. */
  allowedHosts: readonly string[];
  /** Whether a URL is that of stored media, at whatever host the operator has put it. */
  isOwn: (url: string) => boolean;
  /** Must not connect to private addresses where the runtime could, except for stored media. */
  fetch: (url: string, init: RequestInit) => Promise<Response>;
  clock: Clock;
}>;

const MAX_REDIRECTS = 3;

/**
 * Reads a file from a caller-supplied URL. Prompt injection can control such a URL, so it must not expose what only
 * the gateway can reach (SSRF): it must be that of stored media, or https, on an allowed host and not at a private address;
 * redirects must stay on that host. Throws `invalid_input` failures.
 */
export async function readInput(request: InputRequest, signal: AbortSignal, options: InputOptions): Promise<Uint8Array<ArrayBuffer>> {
  const { url } = request;
  let current = url;
  for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
    const checked = checkUrl(current, options.allowedHosts, options.isOwn);
    if ('problem' in checked) throw invalidInput(request, checked.problem);
    if (hop > 0 && checked.url.host !== new URL(url).host) throw invalidInput(request, 'redirects to another host');
    const location = await readOnce(checked.url.href, request, signal, options).catch((cause: unknown) => {
      if (cause instanceof GatewayError) throw cause;
      if (signal.aborted) throw new GatewayError({ kind: 'cancelled' }, { cause });
      throw invalidInput(request, cause instanceof DownloadError ? `could not be read: ${cause.message}` : 'could not be read', cause);
    });
    if (typeof location !== 'string') return location;
    if (!URL.canParse(location, checked.url)) throw invalidInput(request, 'redirects to an invalid URL');
    current = new URL(location, checked.url).href;
  }
  throw invalidInput(request, `redirects more than ${MAX_REDIRECTS} times`);
}

/** The same, for an image of any format that the gateway knows. */
export async function readInputImage(request: InputRequest, signal: AbortSignal, options: InputOptions): Promise<InputImage> {
  const bytes = await readInput(request, signal, options);
  const image = inspectImage(bytes);
  if (!image) throw invalidInput(request, 'is not a PNG, JPEG, WebP or GIF image');
  return { bytes, ...image };
}

export function invalidInput({ argument }: Pick<InputRequest, 'argument'>, problem: string, cause?: unknown): GatewayError {
  return new GatewayError({ kind: 'invalid_input', problems: [`${argument}: ${problem}`] }, { cause });
}

/** The body, or the location of a redirect. */
async function readOnce(
  url: string,
  { maxBytes, timeoutMs, onLength = () => {} }: InputRequest,
  signal: AbortSignal,
  { fetch, clock }: InputOptions,
): Promise<Uint8Array<ArrayBuffer> | string> {
  let location: string | null = null;
  const withoutRedirects: InputOptions['fetch'] = async (target, init) => {
    const response = await fetch(target, { ...init, redirect: 'manual' });
    if (response.status >= 300 && response.status < 400) location = response.headers.get('location');
    try {
      if (response.ok) onLength(declaredLength(response.headers));
    } catch (error) {
      await response.body?.cancel();
      throw error;
    }
    return response;
  };
  try {
    return await download(url, { maxBytes, timeoutMs, clock, fetch: withoutRedirects, signal });
  } catch (error) {
    if (location !== null) return location;
    throw error;
  }
}

/** Validates a URL without DNS. The URL parser has normalized every notation of an IP address. */
export function checkUrl(
  text: string,
  allowedHosts: readonly string[],
  isOwn: InputOptions['isOwn'] = () => false,
): { url: URL } | { problem: string } {
  if (!URL.canParse(text)) return { problem: 'is not a URL' };
  const url = new URL(text);
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const range = ipaddr.isValid(host) ? ipaddr.process(host).range() : undefined;
  const isLoopback = range === 'loopback' || host === 'localhost';
  if (url.username || url.password) return { problem: 'must not contain a user or a password' };
  if (isOwn(url.href)) return { url };
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback)) return { problem: 'must be an https URL' };
  if (!allowedHosts.includes(url.host)) {
    return { problem: `is on a host not allowed by this gateway's operator (MCP_ALLOWED_INPUT_HOSTS)` };
  }
  if (range !== undefined && range !== 'unicast' && !isLoopback) return { problem: 'points to a private address' };
  return { url };
}

/** Whether a URL's host is a non-public address or a loopback name. */
export function isPrivateHost(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '');
  return host === 'localhost' || host.endsWith('.localhost') || (ipaddr.isValid(host) && !isPublicAddress(host));
}

/** Whether an IP address is public unicast. */
export function isPublicAddress(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === 'unicast';
}
