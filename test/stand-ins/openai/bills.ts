import { calcPrice } from '@pydantic/genai-prices';
import { DEPLOYMENTS } from './models.ts';

/** What the account pays for one request; `text`: its prompt, or what it has spoken. */
export type Bill = Readonly<{ model: string; usd: number; text: string }>;

type Usage = Record<string, number | undefined>;
type Details = Record<string, number>;

/** What genai-prices has no prices of, in US dollars: a character of speech, and a second of video. */
const A_CHARACTER: Readonly<Record<string, number>> = { 'tts-1': 15e-6, 'tts-1-hd': 30e-6, 'gpt-4o-mini-tts': 0.015 / 60 / 15 };
const A_SECOND: Readonly<Record<string, number>> = { 'sora-2': 0.1 };
const TIERS: Readonly<Record<string, number>> = { default: 1, priority: 2, flex: 0.5 };

/** What OpenAI would charge for the response to a request, by prices and arithmetic that are not the gateway's. */
export async function billOf(path: string, body: unknown, response: Response): Promise<Bill | undefined> {
  const request = body as Record<string, string>;
  const text = textOf(body);
  const [, deployment] = /\/deployments\/([^/]+)\//.exec(path) ?? [];
  const name = deployment ?? request.model ?? '';
  const model = DEPLOYMENTS[name] ?? name;
  if (path.endsWith('/audio/speech')) return { model, text, usd: [...(request.input ?? '')].length * (A_CHARACTER[model] ?? 0) };
  if (path.endsWith('/videos')) return { model, text, usd: Number(request.seconds ?? 4) * (A_SECOND[model] ?? 0) };
  const answer = await readUsage(response);
  if (!answer.usage) return undefined;
  return { model, text, usd: priceOf(model, toUsage(answer.usage)) * (TIERS[answer.tier] ?? 1) };
}

function textOf(body: unknown): string {
  const { prompt, input, messages = [] } = body as { prompt?: string; input?: string; messages?: { content: unknown }[] };
  return prompt ?? input ?? String(messages.at(-1)?.content ?? '');
}

function priceOf(model: string, usage: Usage): number {
  return calcPrice(usage, model, { providerId: 'openai' })?.total_price ?? 0;
}

/** Of JSON, or of the last event of a stream. */
async function readUsage(response: Response): Promise<{ usage?: Record<string, unknown>; tier: string }> {
  const text = await response.clone().text();
  const events = text.split('\n').filter((line) => line.startsWith('data: {'));
  const { usage, service_tier: tier = 'default' } = JSON.parse(events.at(-1)?.slice('data: '.length) ?? text);
  return { usage, tier };
}

function toUsage(usage: Record<string, unknown>): Usage {
  if (usage.type === 'duration') return { audio_seconds: usage.seconds as number, input_audio_seconds: usage.seconds as number };
  const input = (usage.prompt_tokens_details ?? usage.input_tokens_details ?? {}) as Details;
  const output = (usage.completion_tokens_details ?? {}) as Details;
  const known = {
    input_tokens: (usage.prompt_tokens ?? usage.input_tokens) as number,
    output_tokens: (usage.completion_tokens ?? usage.output_tokens) as number,
    cache_read_tokens: input.cached_tokens,
    input_image_tokens: input.image_tokens,
    output_audio_tokens: output.audio_tokens,
  };
  return Object.fromEntries(Object.entries(known).filter(([, count]) => count));
}
