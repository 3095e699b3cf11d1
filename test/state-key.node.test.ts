import { createDecipheriv, createHmac, hkdfSync } from 'node:crypto';
import { expect, test } from 'vitest';
import { createStateKey } from '../src/state-key.ts';

/** Node's own implementations of HKDF, HMAC and AES-GCM are the oracle. */
test('names and content are those of HKDF-SHA-256, HMAC-SHA-256 and AES-256-GCM', async () => {
  const secret = 'a-secret-of-a-test-that-opens-nothing';
  const derive = (info: string) => Buffer.from(hkdfSync('sha256', secret, '', info, 32));
  const key = createStateKey(secret);

  const place = await key.placeOf(['arguments', 'alice']);
  const mac = createHmac('sha256', derive('openai-mcp-gateway state names')).update('["arguments","alice"]').digest('hex');
  expect(place).toBe(mac.slice(0, 32));

  const sealed = Buffer.from(await key.seal(place, 'a text'));
  const decipher = createDecipheriv('aes-256-gcm', derive('openai-mcp-gateway state content'), sealed.subarray(0, 12));
  decipher.setAAD(Buffer.from(place)).setAuthTag(sealed.subarray(-16));
  expect(Buffer.concat([decipher.update(sealed.subarray(12, -16)), decipher.final()]).toString()).toBe('a text');
});
