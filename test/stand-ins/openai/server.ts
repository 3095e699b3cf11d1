import { type RunningServer, serve } from '../serve.ts';
import { createOpenAIStandIn } from './app.ts';

/** Starts the stand-in on loopback; port 0 takes any that is free. */
export function startOpenAIStandIn(port = 0): Promise<RunningServer> {
  return serve(createOpenAIStandIn(), port);
}
