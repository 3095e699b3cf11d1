/** The package has no types of its own. */
declare module 'parse-prometheus-text-format' {
  type Metric = { labels?: Record<string, string>; value: string };
  export default function parse(text: string): { name: string; metrics: Metric[] }[];
}
