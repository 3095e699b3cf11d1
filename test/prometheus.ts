import parse from 'parse-prometheus-text-format';

/** A scrape, as a parser that others wrote reads it. It would merge histograms with different labels, so it is not told of them. */
export function parseMetrics(text: string) {
  const families = parse(text.replace(/^# TYPE .* histogram$/gm, ''));
  const samplesOf = (name: string) => families.filter((family) => family.name === name).flatMap(({ metrics }) => metrics);
  return {
    /** The labels of all samples of this name. */
    labelsOf: (name: string) => samplesOf(name).map(({ labels = {} }) => labels),
    /** The sum of all samples of this name that have these labels. */
    value: (name: string, labels: Record<string, string> = {}) =>
      samplesOf(name)
        .filter((sample) => Object.entries(labels).every(([label, expected]) => sample.labels?.[label] === expected))
        .reduce((sum, sample) => sum + Number(sample.value), 0),
  };
}
