import { readdirSync, readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { type Received, type Sent, send } from '../load/send.ts';

/** What one subject of the bench was asked, and how it did, in one round. */
export type Round = Readonly<{ cpuMicros: number; latenciesMs: readonly number[] }>;

/** The CPU time that the threads of a process have used, in microseconds (Linux: sched_stat). */
export function cpuMicros(pid: number): number {
  const tasks = readdirSync(`/proc/${pid}/task`);
  const nanos = tasks.map((task) => Number(readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ')[0]));
  return nanos.reduce((sum, ns) => sum + ns, 0) / 1_000;
}

/** Sends `calls` requests over as many kept connections, and measures the CPU time of the server's process per call. */
export async function drive(
  { url, pid }: { url: string; pid: number },
  make: (number: number) => Sent,
  { calls, connections, isRight }: { calls: number; connections: number; isRight: (received: Received, number: number) => boolean },
): Promise<Round> {
  const latenciesMs: number[] = [];
  let next = 0;
  async function client(): Promise<void> {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    while (next < calls) {
      const number = next++;
      const received = await send(url, make(number), agent);
      if (!isRight(received, number))
        throw new Error(`A wrong answer: ${received.error ?? received.status} ${received.text.slice(0, 300)}`);
      latenciesMs.push(received.durationMs);
    }
    agent.destroy();
  }
  const before = cpuMicros(pid);
  await Promise.all(Array.from({ length: connections }, client));
  return { cpuMicros: (cpuMicros(pid) - before) / calls, latenciesMs };
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
