/** `openai` alone: told over stdin how many calls to make, and over how many connections; prints what they have cost. */
import { createInterface } from 'node:readline';
import OpenAI from 'openai';
import { cpuMicros } from '../load.ts';

const client = new OpenAI({ baseURL: process.env.OPENAI_BASE_URL, apiKey: 'key-of-the-upstream', maxRetries: 0 });

async function call(): Promise<number> {
  const startMs = performance.now();
  await client.chat.completions.create({ model: 'bench', messages: [{ role: 'user', content: 'hello' }] });
  return performance.now() - startMs;
}

for await (const line of createInterface({ input: process.stdin })) {
  const { calls, connections } = JSON.parse(line);
  const latenciesMs: number[] = [];
  const before = cpuMicros(process.pid);
  let next = 0;
  const work = async () => {
    while (next++ < calls) latenciesMs.push(await call());
  };
  await Promise.all(Array.from({ length: connections }, work));
  console.log(JSON.stringify({ cpuMicros: (cpuMicros(process.pid) - before) / calls, latenciesMs }));
}
