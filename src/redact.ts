/** Takes out whatever looks like a key, a bearer token, a SAS signature or inline data, and folds white space. */
export function redact(text: string): string {
  return text
    .replace(/\bsk-[\w*-]{4,}/g, '[key]')
    .replace(/[\w.-]*\*{2,}[\w.*-]*/g, '[key]')
    .replace(/\b(bearer|api[-_ ]key(?: provided)?:?)\s+[\w.~+/=-]{8,}/gi, '$1 [key]')
    .replace(/\b(sig|signature|AccountKey)=[^&;\s"'\\]+/gi, '$1=[redacted]')
    .replace(/\bdata:[\w/+.-]*;base64,[\w+/=]*/g, '[data]')
    .replace(/\s+/g, ' ')
    .trim();
}
