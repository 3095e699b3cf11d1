/**
 * Stands in for the SDK's `_shims` in the Worker (`alias` in wrangler.toml), which bring a JSON Schema validator that this
 * server does not use: 8 KiB of the Worker's gzip.
 */
export class DefaultJsonSchemaValidator {
  getValidator(): never {
    throw new Error('This server does not validate with JSON Schema.');
  }
}

/** For the SDK's stdio transport, which a Worker has no use for. */
export const process = {};
