import type { Cell } from './matrix.ts';

/** What is known after a call. */
type Observed = Readonly<{
  /** The whole response; `undefined` when there was none. */
  text: string | undefined;
  log: string;
  /** What may be neither in the response nor in the log. */
  secrets: readonly string[];
  paidPosts: number;
  puts: number;
  blobs: number;
  /** By the gateway's clock. */
  elapsedSeconds: number;
}>;

export type CellResult = Readonly<{
  cell: Cell;
  /** How it came out; missing when the gateway was gone. */
  summary?: Readonly<{ kind: string; paidPosts: number; blobs: number; elapsedSeconds: number }>;
  problems: readonly string[];
}>;

export function findProblems(cell: Cell, observed: Observed): CellResult {
  const { expected } = cell;
  const { text = '', log, secrets, paidPosts, puts, blobs, elapsedSeconds } = observed;
  const kind = observed.text === undefined ? 'no response' : kindOf(text);
  const problems = [
    !expected.kinds.includes(kind) && `${kind} instead of ${expected.kinds.join(' or ')}: ${text.trim().slice(-600)}`,
    paidPosts !== expected.paidPosts && `${paidPosts} paid POSTs instead of ${expected.paidPosts}`,
    blobs !== expected.blobs && `${blobs} blobs instead of ${expected.blobs}`,
    expected.puts !== undefined && puts !== expected.puts && `${puts} PUTs instead of ${expected.puts}`,
    expected.says && !expected.says.test(text) && `${expected.says} is not in the result`,
    elapsedSeconds < (expected.minSeconds ?? 0) && `given up after ${elapsedSeconds} s, not ${expected.minSeconds} s or more`,
    secrets.some((secret) => text.includes(secret)) && 'a secret is in the response',
    secrets.some((secret) => log.includes(secret)) && 'a secret is in the log',
  ].filter((problem) => typeof problem === 'string');
  return { cell, summary: { kind, paidPosts, blobs, elapsedSeconds }, problems };
}

/** The kind of failure that the text of an error result ends with. */
function kindOf(text: string): string {
  try {
    const lines = text.split('\n').filter((line) => line.startsWith('data: '));
    const { result } = JSON.parse(lines.at(-1)?.slice('data: '.length) ?? text);
    if (result && !result.isError) return 'ok';
    const sentence = result.content[0].text;
    // A job that failed while nobody waited quotes its failure.
    return (
      /^The call of .* failed \((\w+)\): /.exec(sentence)?.[1] ??
      /\((\w+), request [^)]+\)$/.exec(sentence)?.[1] ??
      'an error without a kind'
    );
  } catch {
    return 'no MCP response';
  }
}
