import type { Context } from 'hono';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { Principal } from '../auth/principal.ts';

export type HttpErrorCode =
  | 'forbidden_host'
  | 'forbidden_origin'
  | 'unauthorized'
  | 'insufficient_scope'
  | 'sign_in_unavailable'
  | 'not_found'
  | 'bad_request'
  | 'usage_unavailable'
  | 'media_unavailable'
  | 'unknown_session'
  | 'too_many_sessions'
  | 'draining'
  | 'busy'
  | 'method_not_allowed'
  | 'upload_failed'
  | 'payload_too_large'
  | 'request_timeout'
  | 'unsupported_media_type'
  | 'not_configured'
  | 'internal_error';

/** What the middleware sets for later handlers. */
export type HttpEnv = {
  Variables: {
    requestId: string;
    /** The owner of the bearer token; set by `authenticate`. */
    principal: Principal;
  };
};

/** An error response outside MCP: `{error: {code, message, request_id}}`. */
export function httpError(c: Context<HttpEnv>, status: ContentfulStatusCode, code: HttpErrorCode, message: string): Response {
  return c.json({ error: { code, message, request_id: c.get('requestId') } }, status);
}

/**
 * The response to a POST whose body is not a JSON-RPC request: HTTP 400 and a JSON-RPC error, with a null id if none
 * could be read (JSON-RPC 2.0 section 5.1; MCP 2025-11-25, basic/transports).
 */
export function jsonRpcError(c: Context<HttpEnv>, code: -32700 | -32600, message: string, id: string | number | null = null): Response {
  return c.json({ jsonrpc: '2.0', id, error: { code, message, data: { request_id: c.get('requestId') } } }, 400);
}
