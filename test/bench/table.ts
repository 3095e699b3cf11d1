/** Of the Workers that are compared with the gateway. */
export const PEER = { config: 'test/bench/peers/wrangler.toml' };

/** A table in Markdown. */
export function table(title: string, header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const lines = [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`);
  return [`### ${title}`, '', ...lines].join('\n');
}
