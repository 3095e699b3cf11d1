import { GatewayError } from '../errors.ts';
import type { StoreResponse } from '../storage/requests.ts';

/** `code` is an Azure constant from a header; the body may quote the signature and is never exposed. */
export function storageError({ status, code, transient, cause }: StoreResponse, container: string): GatewayError {
  const happened = status === undefined ? 'Azure Blob Storage is unreachable' : `Azure Blob Storage returned ${status} (${code})`;
  return new GatewayError({ kind: 'storage', problem: `${happened}${remedyOf(status, code, container)}`, retryable: transient }, { cause });
}

function remedyOf(status: number | undefined, code: string | undefined, container: string): string {
  if (status === undefined) return '; if this persists, the operator must check AZURE_STORAGE_CONNECTION_STRING and the network';
  if (status === 403) return ': the signature or permission was rejected; the operator must correct AZURE_STORAGE_CONNECTION_STRING';
  if (code === 'ContainerNotFound')
    return `: the container "${container}" (AZURE_BLOB_CONTAINER) does not exist; the operator must create it`;
  if (code === 'ResourceNotFound')
    return ': the storage account or container does not exist; the operator must check AZURE_STORAGE_CONNECTION_STRING and AZURE_BLOB_CONTAINER';
  if (status < 300) return ': not a response from a blob endpoint; a proxy may be intercepting requests';
  if (status <= 401 || status === 404) return ': not a blob endpoint; the operator must correct AZURE_STORAGE_CONNECTION_STRING';
  return '';
}
