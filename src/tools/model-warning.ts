import type { ContentBlock } from '@modelcontextprotocol/server';
import type { Upstream } from '../openai/upstreams.ts';
import type { ToolContext } from './tool.ts';

/** The `warning` of a result whose model retires within 60 days, after the warning that the result already has. */
export function modelWarning({ models }: ToolContext, upstream: Upstream, model: string, present?: string): { warning?: string } {
  const warnings = [present, models.warning(upstream, model)].filter((text) => text !== undefined);
  return warnings.length === 0 ? {} : { warning: warnings.join(' ') };
}

/** The same, for clients that do not read structuredContent. */
export function warningBlocks(warning: string | undefined): ContentBlock[] {
  return warning === undefined ? [] : [{ type: 'text', text: warning }];
}
