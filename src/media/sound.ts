/** What is heard of a file, without its header and tags. */
export type Sound = Readonly<{
  data: Uint8Array<ArrayBuffer>;
  /** What must be equal of sounds that are joined, such as the sampling rate; alphanumeric. */
  shape: string;
  /** Of MP3: how many frames. */
  frames: number;
}>;

/** Several sounds as one. */
export type JoinedSound = Readonly<{ shape: string; frames: number; bytes: number }>;
