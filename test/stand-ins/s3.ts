import { convertV4MiniflareOptions, Miniflare } from 'miniflare';

export type RunningS3 = {
  /** The URL of the API. */
  endpoint: string;
  /** Nobody may read its objects without a signature. */
  bucket: string;
  accessKeyId: string;
  secretAccessKey: string;
  close: () => Promise<void>;
};

/** Good for nothing else. */
const CREDENTIAL = { accessKeyId: 'key-of-the-emulator', secretAccessKey: 'secret-of-the-emulator-for-tests-only' };

/** Starts the S3 API of Cloudflare's R2 emulator on loopback, in memory. It verifies signatures and conditions. */
export async function startS3(): Promise<RunningS3> {
  const bucket = 'media';
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      modules: true,
      script: 'export default { fetch: () => new Response(null, { status: 404 }) };',
      compatibilityDate: '2026-01-01',
      r2Buckets: { MEDIA: { id: bucket, s3Credentials: CREDENTIAL } },
    }),
  );
  const url = await miniflare.ready;
  return { endpoint: new URL('/cdn-cgi/local/r2/s3', url).href, bucket, ...CREDENTIAL, close: () => miniflare.dispose() };
}
