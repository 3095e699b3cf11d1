import type { ServerContext } from '@modelcontextprotocol/server';

/** What becomes of the response to one message. */
export type Delivery = Readonly<{
  /** Resolves to whether the client has taken all of the response, as far as the runtime can tell. */
  delivered: Promise<boolean>;
  /** Says so; only the first time counts. */
  settle: (isDelivered: boolean) => void;
  /** Whether anything depends on it. */
  isWanted: () => boolean;
  want: () => void;
}>;

export function createDelivery(): Delivery {
  const { promise: delivered, resolve: settle } = Promise.withResolvers<boolean>();
  let isWanted = false;
  const want = () => {
    isWanted = true;
  };
  return { delivered, settle, isWanted: () => isWanted, want };
}

/** Resolves to whether the response to a call has been delivered. */
export function deliveryOf({ http }: ServerContext): Promise<boolean> {
  const delivery = http?.authInfo?.extra?.delivery as Delivery;
  delivery.want();
  return delivery.delivered;
}
