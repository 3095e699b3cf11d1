import { AppBridge, type McpUiHostCapabilities, type McpUiTheme, PostMessageTransport } from '@modelcontextprotocol/ext-apps/app-bridge';

/** What a test does with the host, and sees of it. */
type AppHost = Readonly<{
  bridge: AppBridge;
  /** What the tool is asked. */
  input: (args: Record<string, unknown>) => Promise<void>;
  /** What the tool has returned; without content, an empty list of it. */
  result: (result: object) => Promise<void>;
  /** What the app has asked the host to do, in order. */
  asked: { method: string; params: unknown }[];
  /** The last height that the app has reported. */
  height: () => number;
}>;

export type HostOptions = Readonly<{ appUrl: string; capabilities: McpUiHostCapabilities; context: { theme?: McpUiTheme } }>;

declare global {
  interface Window {
    startHost: (options: HostOptions) => Promise<void>;
    appHost: AppHost;
    /** Calls a tool of the server; set by the test. */
    callTool: (params: unknown) => Promise<never>;
  }
}

/** A host that shows one app in a frame, through the bridge that the extension's authors publish. */
window.startHost = async ({ appUrl, capabilities, context }) => {
  const frame = document.querySelector('iframe') as HTMLIFrameElement;
  const view = frame.contentWindow as Window;
  const bridge = new AppBridge(null, { name: 'test-host', version: '1' }, capabilities, { hostContext: context });
  const asked: AppHost['asked'] = [];
  let height = 0;
  window.appHost = {
    bridge,
    asked,
    height: () => height,
    input: (args) => bridge.sendToolInput({ arguments: args }),
    result: (result) => bridge.sendToolResult({ content: [], ...result }),
  };
  bridge.onopenlink = async (params) => {
    asked.push({ method: 'ui/open-link', params });
    return {};
  };
  bridge.onupdatemodelcontext = async (params) => {
    asked.push({ method: 'ui/update-model-context', params });
    return {};
  };
  bridge.oncalltool = async (params) => {
    asked.push({ method: 'tools/call', params });
    return window.callTool(params);
  };
  bridge.onsizechange = (size) => {
    height = size.height ?? 0;
    frame.style.height = `${height}px`;
  };
  const initialized = new Promise<void>((resolve) => {
    bridge.oninitialized = () => resolve();
  });
  await bridge.connect(new PostMessageTransport(view, view));
  frame.src = appUrl;
  await initialized;
};
