import * as z from 'zod';
import { trimEndSlashes } from './trim-slashes.ts';

/** Schemas for the values of variables. Messages complete "NAME …" and never quote the value. */

export const token = (what: string) => z.string().regex(/^[\x21-\x7e]+$/, `must be ${what}: visible ASCII characters without spaces`);
export const name = () => z.string().regex(/^[\x21-\x7e]{1,200}$/, 'must be a name of at most 200 visible ASCII characters without spaces');
const list = () =>
  z.string().transform((text) =>
    text
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  );

/** Hosts as they appear in URLs: lowercase. */
export const hostList = () => list().transform((hosts) => hosts.map((host) => host.toLowerCase()));

/** Origins as browsers send them: lowercase, without path or default port. */
export const originList = () =>
  list().transform((origins, context) => {
    const isOrigin = (text: string) => URL.canParse(text) && /^[a-z-]+:\/\/[^/?#@\s]+\/?$/i.test(text);
    if (origins.every(isOrigin)) return origins.map((text) => (/^https?:/i.test(text) ? new URL(text).origin : text.replace(/\/$/, '')));
    context.addIssue({ code: 'custom', message: 'must be origins such as https://app.example.com, separated by commas' });
    return z.NEVER;
  });

export const httpUrl = () =>
  z.string().transform((text, context) => {
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const isPlain = /^https?:\/\/[^\s?#@\\]+$/i.test(text);
    if (url && isPlain) return trimEndSlashes(url.href);
    context.addIssue({ code: 'custom', message: 'must be an http or https URL without user, query or fragment' });
    return z.NEVER;
  });

/** The paths of operations, which belong to a request and not to the base URL; the short ones only after a version. */
const OPERATION =
  /\/(chat\/completions|images\/(generations|edits)|audio\/(speech|transcriptions))$|(?<=\/v\d)\/(models|responses|videos)$/;

/** The base URL of an OpenAI-compatible API: drops the path of an operation, and adds the `/v1` that OpenAI's needs. */
export const apiBaseUrl = () =>
  httpUrl().transform((text) => {
    const url = text.replace(OPERATION, '');
    return /^https:\/\/([a-z0-9-]+\.)?api\.openai\.com$/.test(url) ? `${url}/v1` : url;
  });

/**
 * Accepts a bare resource name, and the URL of the API, of one operation or of a Foundry project in place of the
 * resource's: drops everything from /openai on, and on Foundry's hosts the whole path.
 */
export const azureResource = () =>
  z
    .string()
    .transform((text) => {
      if (/^[a-z0-9][a-z0-9-]{0,62}$/i.test(text)) return `https://${text.toLowerCase()}.openai.azure.com`;
      const url = /^[a-z0-9.-]+\.azure\.com(\/|$)/i.test(text) ? `https://${text}` : text;
      return url.replace(/(?<=^https:\/\/[a-z0-9-]{1,63}\.services\.ai\.azure\.com)\/.*$/is, '').split(/\/openai(?=[/?]|$)/)[0];
    })
    .pipe(httpUrl());

/** `preview` is the name of the v1 API in its preview. Accepts the query parameter (`api-version=…`) as it stands in URLs. */
export const azureApiVersion = () =>
  z
    .string()
    .toLowerCase()
    .transform((text) => text.replace(/^\??api-version=/, '').replace(/^preview$/, 'v1'))
    .pipe(z.string().regex(/^(v1|\d{4}-\d{2}-\d{2}(-preview)?)$/, 'must be v1 or a date such as 2025-04-01-preview'));

export const pathSegments = () =>
  z
    .string()
    .transform((text) => trimEndSlashes(text).replace(/^\/+/, ''))
    .refine((text) => text.split('/').every((segment) => /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(segment)), {
      message: 'must be a path such as media/v1: segments of letters, digits, ".", "_" and "-" that do not start with a dot',
    });

export const integer = (minimum: number, maximum: number) =>
  z
    .string()
    .regex(/^\d{1,9}$/, `must be a whole number from ${minimum} to ${maximum}`)
    .transform(Number)
    .refine((value) => value >= minimum && value <= maximum, { message: `must be a whole number from ${minimum} to ${maximum}` });

/** An amount in US dollars. */
export const usd = () =>
  z
    .string()
    .regex(/^\d{1,9}(\.\d{1,6})?$/, 'must be an amount in US dollars, such as 50 or 2.50')
    .transform(Number);

export const flag = () =>
  z
    .string()
    .regex(/^(0|1|true|false)$/i, 'must be 1 or 0')
    .transform((text) => text === '1' || text.toLowerCase() === 'true');

/** A key of the operator's for one path. */
export const operatorKey = (path: string) =>
  token(`the bearer token of ${path}`).min(24, 'must have at least 24 characters').max(4000, 'must be at most 4000 characters').optional();

/** A secret from which keys are derived, so its own strength counts. */
export function stateSecret() {
  return z.string().min(32, 'must have at least 32 characters').max(4000, 'must be at most 4000 characters');
}

/** The folders of media, where nobody asks for others. */
export const MEDIA_ROOTS = { image: 'images', audio: 'audio', video: 'videos', upload: 'uploads' };
