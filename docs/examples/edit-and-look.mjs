// Uploads a picture, has it edited, looks at the preview, and edits again until it is as it should be.
// node edit-and-look.mjs photo.jpg "Make it night, with lit windows"
import { readFile } from 'node:fs/promises';
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';

const [file, wish] = process.argv.slice(2);
const { GATEWAY_URL = 'http://localhost:8000/mcp', MCP_SERVER_API_KEY } = process.env;
const MAX_EDITS = 3;

const client = new Client({ name: 'edit-and-look', version: '1' });
const headers = { Authorization: `Bearer ${MCP_SERVER_API_KEY}` };
await client.connect(new StreamableHTTPClientTransport(new URL(GATEWAY_URL), { requestInit: { headers } }));

/** Calls a tool; waits on, for free, while its job runs. */
async function call(name, args) {
  const result = await client.callTool({ name, arguments: args });
  if (result.isError) throw new Error(result.content[0].text);
  const { status, job_id } = result.structuredContent;
  return status === 'in_progress' ? call(name, { job_id }) : result;
}

// The file goes straight to the gateway: no model has to pass it on.
const { upload_url, url: original } = (await call('create_upload', {})).structuredContent;
const stored = await fetch(upload_url, { method: 'PUT', body: await readFile(file) });
if (!stored.ok) throw new Error((await stored.json()).error.message);

let image = original;
let prompt = wish;
for (let edits = 1; edits <= MAX_EDITS; edits++) {
  const result = await call('edit_image', { prompt, images: [image], inline_preview: true });
  image = result.structuredContent.images[0].url;
  console.log(`edit ${edits}: ${image}`);
  const preview = result.content.find(({ type }) => type === 'image');
  if (!preview) break;
  const question = `This picture should fulfil the wish "${wish}". Answer OK if it does, or else with one instruction for an image editor.`;
  const image_urls = [`data:${preview.mimeType};base64,${preview.data}`];
  const { text } = (await call('chat_completion', { messages: [{ role: 'user', content: question, image_urls }] })).structuredContent;
  console.log(`verdict: ${text}`);
  if (/^OK\b/.test(text)) break;
  prompt = text;
}
await client.close();
