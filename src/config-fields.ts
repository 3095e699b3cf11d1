import { z } from 'zod';
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

/** Accepts the URL of the API or of one operation in place of the resource's: drops everything from /openai on. */
export const azureResource = () =>
  z
    .string()
    .transform((text) => text.split(/\/openai(?=[/?]|$)/)[0])
    .pipe(httpUrl());

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

export const flag = () =>
  z
    .string()
    .regex(/^(0|1|true|false)$/i, 'must be 1 or 0')
    .transform((text) => text === '1' || text.toLowerCase() === 'true');
