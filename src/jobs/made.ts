import type { IndexEntry, IndexFile } from './day-index.ts';

/** Longer prompts are cut. */
const MAX_PROMPT_CHARACTERS = 1_000;

/** What the index keeps of a result: the model, the cost and the files, wherever they are in it. */
export function madeOf(output: Record<string, unknown>): Pick<IndexEntry, 'model' | 'cost_usd' | 'files'> {
  const { model, cost_usd } = output;
  const files = filesOf(output);
  return {
    ...(typeof model === 'string' && { model }),
    ...(typeof cost_usd === 'number' && { cost_usd }),
    ...(files.length > 0 && { files }),
  };
}

/** What the index keeps of the arguments, if the operator wants that. */
export function promptOf({ prompt, input }: Record<string, unknown>): string | undefined {
  const text = prompt ?? input;
  return typeof text === 'string' ? text.slice(0, MAX_PROMPT_CHARACTERS) : undefined;
}

function filesOf(value: unknown): IndexFile[] {
  if (typeof value !== 'object' || value === null) return [];
  const { url, content_type, bytes, width, height } = value as Record<string, unknown>;
  const inside = Object.values(value).flatMap(filesOf);
  if (typeof url !== 'string' || typeof content_type !== 'string' || typeof bytes !== 'number') return inside;
  const [bare = ''] = url.split('?', 1);
  const size = typeof width === 'number' && typeof height === 'number' ? { width, height } : {};
  return [{ url: bare, content_type, bytes, ...size }, ...inside];
}
