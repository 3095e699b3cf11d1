/** Why some scenarios or single checks (`scenario:check`) of the suite are not passed. */
type Exception = Readonly<{
  reason: string;
  fails: readonly string[];
  /** What the suite counts as passed, or checks nothing of, although the server cannot do what is asked for. */
  provesNothing?: readonly string[];
}>;

/**
 * The suite's own `--expected-failures` knows no reasons, excuses only whole scenarios in 0.1, and leaves out those that
 * the suite does not score. The rules are its own: what fails without standing here is a failure, and so is what stands
 * here and passes.
 */
export const exceptions: readonly Exception[] = [
  {
    reason: 'no prompts: the gateway has none',
    fails: [
      'prompts-list',
      'prompts-get-simple',
      'prompts-get-with-args',
      'prompts-get-embedded-resource',
      'prompts-get-with-image',
      'caching:sep-2549-prompts-list-caching-hints',
    ],
  },
  {
    reason: "no resources of the suite's, no templates and no subscriptions: the gateway has its own alone",
    fails: ['resources-read-text', 'resources-read-binary', 'resources-templates-read', 'resources-subscribe', 'resources-unsubscribe'],
  },
  { reason: 'no completion: there are no prompts and resource templates to complete', fails: ['completion-complete'] },
  {
    reason: 'no log messages to clients: the log is for those who run the gateway',
    fails: ['logging-set-level', 'tools-call-with-logging', 'server-stateless:sep-2575-server-no-log-without-loglevel'],
  },
  {
    reason: 'no questions to clients (sampling, elicitation, roots): no tool has any',
    fails: [
      'tools-call-sampling',
      'tools-call-elicitation',
      'elicitation-sep1034-defaults',
      'elicitation-sep1330-enums',
      'server-stateless:sep-2575-server-rejects-undeclared-capability',
      'server-stateless:sep-2575-missing-capability-http-400',
      'server-stateless:sep-2575-http-server-no-independent-requests-on-stream',
      'input-required-result-basic-elicitation',
      'input-required-result-basic-sampling',
      'input-required-result-basic-list-roots',
      'input-required-result-capability-check',
      'input-required-result-ignore-extra-params',
      'input-required-result-missing-input-response',
      'input-required-result-multi-round',
      'input-required-result-multiple-input-requests',
      'input-required-result-non-tool-request',
      'input-required-result-request-state',
      'input-required-result-result-type',
      'input-required-result-tampered-state',
    ],
    // It takes the error for an unknown tool for the one it waits for.
    provesNothing: ['input-required-result-validate-input'],
  },
  {
    reason: 'no sessions: Streamable HTTP is stateless, which the specification allows',
    fails: ['server-sse-multiple-streams:server-sse-multiple-streams-session', 'server-sse-polling:server-sse-polling-session'],
    provesNothing: ['server-session-lifecycle'],
  },
  {
    reason: 'no x-mcp-header: no argument is mirrored into a header (optional)',
    fails: ['http-custom-header-server-validation'],
  },
  {
    reason: 'no input for tasks: no tool asks for any',
    fails: ['tasks-mrtr-composition', 'tasks-mrtr-input'],
  },
  {
    reason: 'no tool requires tasks: without the extension, it returns its result',
    fails: ['tasks-required-task-error'],
  },
  {
    reason: 'no failed tasks: a bug in a tool is a result for the model, as in a call without a task',
    fails: ['tasks-lifecycle:sep-2663-tasks-get-status-failed'],
  },
  {
    reason: 'no task notifications: clients poll (the suite does not check them yet)',
    fails: [],
    provesNothing: ['tasks-status-notifications'],
  },
];
