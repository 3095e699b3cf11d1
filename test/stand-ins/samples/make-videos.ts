/**
 * `node test/stand-ins/samples/make-videos.ts`: makes the sample videos and the spritesheet anew. Needs ffmpeg, which
 * nothing else here does: so what it makes is part of the repository.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import sharp from 'sharp';
import { voyageSvg } from '../openai/scene/voyage.ts';

const SIZES = ['720x1280', '1280x720', '1024x1792', '1792x1024'];
const FRAMES = 48;
const FRAMES_PER_SECOND = 12;

/** One key frame and no B-frames, in the color space of HD video. */
const CODEC = ['-c:v', 'libx264', '-profile:v', 'main', '-preset', 'veryslow', '-tune', 'animation', '-crf', '33', '-bf', '0'];
const GROUP = ['-g', `${FRAMES}`, '-keyint_min', `${FRAMES}`, '-sc_threshold', '0'];
const COLOR = ['-colorspace', 'bt709', '-color_primaries', 'bt709', '-color_trc', 'bt709'];
const CONVERT = ['-vf', 'scale=out_color_matrix=bt709:out_range=tv,format=yuv420p'];
/** The index first; no version of the encoder in the file. */
const FILE = ['-movflags', '+faststart', '-video_track_timescale', `${FRAMES_PER_SECOND}`, '-map_metadata', '-1'];
const PLAIN = ['-bsf:v', 'filter_units=remove_types=6', '-fflags', '+bitexact', '-flags:v', '+bitexact'];

const here = fileURLToPath(new URL('.', import.meta.url));

for (const size of SIZES) {
  const [width = 0, height = 0] = size.split('x').map(Number);
  const folder = mkdtempSync(join(tmpdir(), 'frames-'));
  for (let frame = 0; frame < FRAMES; frame++) {
    const svg = Buffer.from(voyageSvg(width, height, frame / FRAMES));
    await sharp(svg).toFile(join(folder, `${String(frame).padStart(2, '0')}.png`));
  }
  const frames = ['-v', 'error', '-y', '-framerate', `${FRAMES_PER_SECOND}`, '-i', join(folder, '%02d.png')];
  execFileSync('ffmpeg', [...frames, ...CONVERT, ...CODEC, ...GROUP, ...COLOR, ...PLAIN, ...FILE, `${here}video-${size}.mp4`]);
  if (size === '1280x720')
    execFileSync('ffmpeg', [...frames, '-vf', "select='not(mod(n,8))',scale=320:-1,tile=3x2", '-frames:v', '1', `${here}spritesheet.jpg`]);
  rmSync(folder, { recursive: true });
}
