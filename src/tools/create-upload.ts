import * as z from 'zod';
import { GatewayError } from '../errors.ts';
import { defineTool } from './tool.ts';

export const createUpload = defineTool({
  name: 'create_upload',
  title: 'Create upload',
  description:
    'Get a URL to which one local image or audio file can be sent, for other tools to use. Use it for a file that is on no allowed host, and run the curl line of the result; not for media of this gateway. Example: {}. Free.',
  activity: 'creating upload',
  annotations: { readOnlyHint: true, openWorldHint: false },
  input: z.strictObject({}),
  output: z.object({
    upload_url: z.string(),
    url: z.string(),
    max_bytes: z.int(),
    expires_at: z.string(),
    url_expires_at: z.string().optional(),
  }),

  async handler(_, { uploads, principal, publicUrl }) {
    if (publicUrl === undefined)
      throw new GatewayError({ kind: 'not_configured', what: 'The URL of uploads', variables: ['MCP_PUBLIC_URL'] });
    const { token, link, expiresAt, maxBytes } = await uploads.issue(principal);
    return {
      upload_url: `${publicUrl}/uploads/${token}`,
      url: link.url,
      max_bytes: maxBytes,
      expires_at: expiresAt,
      ...(link.expiresAt && { url_expires_at: link.expiresAt }),
    };
  },

  present: ({ upload_url, url, max_bytes, expires_at }) => [
    {
      type: 'text',
      text: `Send the file, of at most ${max_bytes} bytes, until ${expires_at}:\ncurl --fail-with-body -T FILE "${upload_url}"\nThen pass this URL to other tools: ${url}`,
    },
  ],
});
