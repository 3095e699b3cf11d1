import type { z } from 'zod';

/** A refusal in the error shape of OpenAI's API. */
export class ApiError extends Error {
  readonly status: number;
  readonly body: { error: { message: string; type: string; param: string | null; code: string | null } };

  constructor(status: number, message: string, code: string | null = null, param: string | null = null) {
    super(message);
    this.status = status;
    const type =
      status === 401
        ? 'authentication_error'
        : status === 429
          ? 'rate_limit_error'
          : status >= 500
            ? 'server_error'
            : 'invalid_request_error';
    this.body = { error: { message, type, param, code } };
  }
}

/** Parses a request body as strictly as the real API: unknown parameters are refused, the first problem is told. */
export function parseBody<Schema extends z.ZodType>(schema: Schema, body: unknown): z.output<Schema> {
  const parsed = schema.safeParse(body);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  if (issue?.code === 'unrecognized_keys') {
    throw new ApiError(400, `Unknown parameter: '${issue.keys[0]}'.`, 'unknown_parameter', issue.keys[0] ?? null);
  }
  const param = issue?.path.join('.') || null;
  const code = issue?.code === 'invalid_type' ? 'invalid_type' : 'invalid_value';
  throw new ApiError(400, `Invalid value for '${param}': ${issue?.message}.`, code, param);
}
