import { Hono } from 'hono';
import { type RunningServer, serve } from '../stand-ins/serve.ts';

type Part = { type: string; text?: string };
type Message = { role?: string; type?: string; content?: unknown; output?: unknown };
/** A tool as a framework hands it to the model: Chat Completions nests it, the Responses API does not. */
type FunctionTool = { type: string; name: string; parameters: object; strict?: boolean | null };
type ModelRequest = { model: string; messages?: Message[]; input?: Message[]; tools?: (FunctionTool & { function?: FunctionTool })[] };
type ToolCall = { name: string; args: Record<string, unknown> };

export type ScriptedModel = RunningServer & {
  /** The tools of the first request, in one shape for both APIs. */
  tools: () => FunctionTool[];
  /** The text of the tool's result, as the model received it; undefined until then. */
  toolResult: () => string | undefined;
};

/** A model that calls one tool and then repeats the result, over Chat Completions and the Responses API. */
export async function startScriptedModel({ name, args }: ToolCall): Promise<ScriptedModel> {
  const requests: ModelRequest[] = [];
  let toolResult: string | undefined;
  const call = { name, arguments: JSON.stringify(args) };
  const app = new Hono();
  app.use(async (c, next) => {
    requests.push(await c.req.json());
    await next();
  });
  app.post('/v1/chat/completions', async (c) => {
    const request: ModelRequest = await c.req.json();
    const result = request.messages?.find(({ role }) => role === 'tool');
    if (result) toolResult = readText(result.content, ['text']);
    const message = result
      ? { content: toolResult }
      : { content: null, tool_calls: [{ id: newId('call'), type: 'function', function: call }] };
    const choices = [{ index: 0, finish_reason: result ? 'stop' : 'tool_calls', message: { role: 'assistant', ...message } }];
    const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
    return c.json({ id: newId('chatcmpl'), object: 'chat.completion', created: 1, model: request.model, choices, usage });
  });
  app.post('/v1/responses', async (c) => {
    const request: ModelRequest = await c.req.json();
    const result = request.input?.find(({ type }) => type === 'function_call_output');
    if (result) toolResult = readText(result.output, ['input_text', 'input_image', 'input_file']);
    const text = { type: 'output_text', text: toolResult, annotations: [] };
    const output = result
      ? [{ id: newId('msg'), type: 'message', role: 'assistant', status: 'completed', content: [text] }]
      : [{ id: newId('fc'), type: 'function_call', call_id: newId('call'), status: 'completed', ...call }];
    const usage = { input_tokens: 1, input_tokens_details: {}, output_tokens: 1, output_tokens_details: {}, total_tokens: 2 };
    return c.json({ id: newId('resp'), object: 'response', created_at: 1, status: 'completed', model: request.model, output, usage });
  });
  app.onError((error, c) => c.json({ error: { message: error.message, type: 'invalid_request_error', param: null, code: null } }, 400));
  return {
    ...(await serve(app)),
    tools: () => (requests[0]?.tools ?? []).map((tool) => tool.function ?? tool),
    toolResult: () => toolResult,
  };
}

/** Agents take two messages with one id for the same message. */
const newId = (kind: string) => `${kind}_${crypto.randomUUID()}`;

/** What the model reads of a tool's result. A part of another type is an error, as it is at OpenAI. */
function readText(content: unknown, types: string[]): string {
  if (typeof content === 'string') return content;
  return (content as Part[])
    .map(({ type, text }) => {
      if (!types.includes(type)) throw new Error(`Invalid value: '${type}'. Supported values are: ${types.join(', ')}.`);
      return text ?? '';
    })
    .join('\n');
}
