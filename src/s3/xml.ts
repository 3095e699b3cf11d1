/** The text of the first element of this name, up to `maxCharacters`; `undefined` when there is none. Attributes are not expected. */
export function elementText(xml: string, name: string, maxCharacters: number): string | undefined {
  const start = xml.indexOf(`<${name}>`);
  if (start === -1) return undefined;
  const from = start + name.length + 2;
  const end = xml.indexOf('<', from);
  return end === -1 || end - from > maxCharacters ? undefined : decode(xml.slice(from, end));
}

/** ETags are in quotes, which some servers escape. */
function decode(text: string): string {
  return text.replaceAll('&quot;', '"').replaceAll('&#34;', '"').replaceAll('&amp;', '&');
}

/** The text of an element. */
export function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
