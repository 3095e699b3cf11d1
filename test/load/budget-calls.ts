import type { Agent } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageIn, send } from './send.ts';

/** What has come of all calls. */
export type Counts = { calls: number; answered: number; refused: number; lost: number; interrupted: number; wrong: string[] };

export type Client = Readonly<{ number: number; principal: string; token: string; agent: Agent; url: () => string; random: () => number }>;

/** Whose prompt it is, as the upstream's bills have it. */
export const principalOf = (text: string) => /^(\w+) /.exec(text)?.[1] ?? '';

const SPOKEN_CHARACTERS = 400;
const MAX_CALLS_OF_A_CLIENT = 60;
const PAUSE_MS = 1_000;
/** A refused call may fit once others have cost less than estimated. */
const MAX_REFUSALS = 3;
/** Of the media, one in so many has an idempotency key. */
const KEYED = 7;

type Arguments = Record<string, unknown>;

/** Two of five make an image, whose estimate is too high; two speak, whose estimate is exact; one is a chat. */
function callOf({ number, principal }: Client): { name: string; args: Arguments } {
  const text = `${principal} wants ${number}`;
  if (number % 5 < 2) return { name: 'generate_image', args: { prompt: text, size: '64x64', quality: 'low' } };
  if (number % 5 < 4) return { name: 'synthesize_speech', args: { input: text.padEnd(SPOKEN_CHARACTERS, '.'), model: 'tts-1' } };
  return { name: 'chat_completion', args: { prompt: text, model: 'gpt-6-sol', max_completion_tokens: 40 } };
}

/** Calls as an agent does, until it has its result or its budget refuses. */
export async function runClient(client: Client, counts: Counts): Promise<void> {
  const { name, args } = callOf(client);
  let keys = 0;
  let refusals = 0;
  for (let calls = 0; calls < MAX_CALLS_OF_A_CLIENT; calls++) {
    counts.calls++;
    const key = client.number % KEYED === 0 && name !== 'chat_completion' && { idempotency_key: `key-${client.number}-${keys}` };
    const text = await callOnce(client, name, { ...args, ...key });
    if (text === undefined) counts.lost++;
    else if (text.includes('(job_interrupted')) {
      counts.interrupted++;
      keys++;
    } else if (text.includes('(over_budget')) {
      if (++refusals === MAX_REFUSALS) return void counts.refused++;
    } else if (!text.includes('(busy') && !text.includes('(storage')) {
      const result = messageIn(text)?.result as { isError?: boolean } | undefined;
      if (result && !result.isError) return void counts.answered++;
      counts.wrong.push(`client ${client.number}: ${text.slice(0, 300)}`);
      return;
    }
    await sleep(PAUSE_MS * client.random());
  }
  counts.wrong.push(`client ${client.number} was never answered`);
}

/** `undefined` when the connection ends before the whole answer is there. */
export async function callOnce({ token, agent, url }: Client, name: string, args: Arguments): Promise<string | undefined> {
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream' };
  const message = { jsonrpc: '2.0', id: `call-${crypto.randomUUID()}`, method: 'tools/call', params: { name, arguments: args } };
  const { text, error } = await send(url(), { headers, body: JSON.stringify(message) }, agent);
  return error === undefined && messageIn(text) ? text : undefined;
}
