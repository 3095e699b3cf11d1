import type { Context, Handler, MiddlewareHandler } from 'hono';
import type { VerifyKey } from '../auth/keys.ts';
import type { Principal } from '../auth/principal.ts';
import type { Runtime } from '../ports.ts';
import type { Budgets } from '../usage/budgets.ts';
import { lastDates, MAX_REPORT_DAYS, reportUsage } from '../usage/report.ts';
import type { UsageBook } from '../usage/usage-book.ts';
import { bearerOf } from './authenticate.ts';
import { type HttpEnv, httpError } from './errors.ts';

export type UsageOptions = Readonly<{
  /** Knows the operator's key; `undefined` where none is set. */
  verify: VerifyKey | undefined;
  book: UsageBook;
  budgets: Budgets;
  runtime: Pick<Runtime, 'now' | 'log'>;
}>;

/** Each takes memory for a month of rows. */
const MAX_REPORTS_AT_ONCE = 16;
const RETRY_AFTER_SECONDS = 2;

/** `GET /usage`: to the operator, what all have used; to a principal, what it has used itself. */
export function usage({ verify, book, budgets, runtime }: UsageOptions): {
  /** Before the authentication, as the operator's key belongs to no principal; leaves all other requests alone. */
  ofAll: MiddlewareHandler<HttpEnv>;
  /** After it. */
  ofPrincipal: Handler<HttpEnv>;
} {
  let open = 0;

  async function report(c: Context<HttpEnv>, principal?: Principal): Promise<Response> {
    c.header('Cache-Control', 'no-store');
    c.header('Vary', 'Accept', { append: true });
    const days = c.req.query('days') ?? String(MAX_REPORT_DAYS);
    if (!/^[1-9]\d?$/.test(days) || Number(days) > MAX_REPORT_DAYS)
      return httpError(c, 400, 'bad_request', `days must be a whole number from 1 to ${MAX_REPORT_DAYS}.`);
    if (open >= MAX_REPORTS_AT_ONCE) return unavailable(c, 'busy', 'Too many reports are being made at once.');
    open++;
    try {
      const dates = lastDates(Number(days), runtime.now());
      const [used, budget] = await Promise.all([book.read(dates, principal?.id), budgets.read(principal ?? 'gateway')]);
      return c.json(reportUsage(principal ? 'principal' : 'all', used, budget));
    } catch (error) {
      runtime.log.warn('usage_not_read', { request_id: c.get('requestId'), error: String(error) });
      return unavailable(c, 'usage_unavailable', 'The usage could not be read from storage.');
    } finally {
      open--;
    }
  }

  return {
    async ofAll(c, next) {
      const token = bearerOf(c);
      return token !== undefined && (await verify?.(token)) ? report(c) : next();
    },
    ofPrincipal: (c) => report(c, c.get('principal')),
  };
}

function unavailable(c: Context<HttpEnv>, code: 'busy' | 'usage_unavailable', sentence: string): Response {
  c.header('Retry-After', String(RETRY_AFTER_SECONDS));
  return httpError(c, 503, code, `${sentence} Retry in ${RETRY_AFTER_SECONDS} s.`);
}
