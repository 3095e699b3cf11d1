/** The id of the call that a message cancels (specification 2025-11-25, basic/utilities/cancellation). */
export function cancelledId(message: object): string | number | undefined {
  const { method, params } = message as { method?: unknown; params?: { requestId?: unknown } };
  const id = method === 'notifications/cancelled' ? params?.requestId : undefined;
  return typeof id === 'string' || typeof id === 'number' ? id : undefined;
}
