/** When the gateway's clock is fast: while a fault lasts, except while a server behind does true work, which takes its true time. */
export type Pace = Readonly<{
  begin: () => Promise<void>;
  end: () => Promise<void>;
  /** Does true work. */
  during: <Result>(work: () => Promise<Result>) => Promise<Result>;
}>;

export function createPace(fast: number, setSpeed: (speed: number) => Promise<void>): Pace {
  let lasts = false;
  let working = 0;
  let speed = 1;
  let isSet = Promise.resolve();

  function adjust(): Promise<void> {
    const wanted = lasts && working === 0 ? fast : 1;
    // One after the other: the last one sent is to be the last one that arrives.
    if (wanted !== speed) isSet = isSet.then(() => setSpeed(wanted));
    speed = wanted;
    return isSet;
  }

  function setLasts(value: boolean): Promise<void> {
    lasts = value;
    return adjust();
  }

  return {
    begin: () => setLasts(true),
    end: () => setLasts(false),
    async during(work) {
      working++;
      try {
        await adjust();
        return await work();
      } finally {
        working--;
        await adjust();
      }
    },
  };
}
