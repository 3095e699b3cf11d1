import type { SpeechRequest } from '../openai/speech.ts';
import { instruct, speaksInChat } from '../openai/spoken-chat.ts';
import type { Upstream } from '../openai/upstreams.ts';
import { chatAmounts } from '../usage/amounts.ts';
import type { Cost, Estimate } from '../usage/cost.ts';
import { speechEstimate, spokenAmounts } from '../usage/estimates.ts';
import { estimateOf, measured } from './billing.ts';
import type { ToolContext } from './tool.ts';

/** The pieces of long speech are not shorter. */
const SHORT_PIECE_LENGTH = 900;
const ESTIMATED = 'Estimated from the length of the text, as the upstream does not say what it bills for speech.';

/** Notes what one request for speech has cost: a chat model returns its usage, the speech endpoint nothing. */
export function billSpeech(
  { prices, measure }: ToolContext,
  upstream: Upstream,
  request: SpeechRequest,
  usage?: Record<string, unknown>,
): Cost {
  const { model, input, instructions } = request;
  if (speaksInChat(model)) {
    const amounts = chatAmounts(usage);
    return measured(measure, prices.costOf(upstream, { model, ways: amounts ? [amounts] : [] }));
  }
  const exact = prices.costOf(upstream, { model, ways: [byCharacter(input)] });
  if ('usd' in exact) return measured(measure, exact);
  const cost = prices.costOf(upstream, { model, ways: [spokenAmounts(input, instructions)] });
  return measured(measure, 'usd' in cost ? { ...cost, note: ESTIMATED } : cost);
}

export function estimateSpeech(context: ToolContext, upstream: Upstream, request: SpeechRequest): Estimate {
  const { model, input: text, instructions = '', speed = 1 } = request;
  const requests = Math.ceil(text.length / SHORT_PIECE_LENGTH);
  const hasTranscript = speaksInChat(model);
  const said = hasTranscript ? instruct(request) : instructions;
  const tokens = speechEstimate({ text, instructions: said, requests, speed, hasTranscript });
  return estimateOf(context, upstream, { model, ways: [byCharacter(text), tokens] }, 'a shorter text or a cheaper model');
}

/** Notes what a request may have cost that has failed. */
export function assumeSpeech(context: ToolContext, upstream: Upstream, request: SpeechRequest): void {
  measured(context.measure, estimateSpeech(context, upstream, request));
}

function byCharacter(text: string) {
  return { million_characters: [...text].length / 1e6 };
}
