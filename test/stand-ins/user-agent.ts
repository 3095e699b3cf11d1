/** Signs in at the pages of the authorization server, and consents, as a person in a browser would; the URL to which it then redirects. */
export async function signInAt(authorizationUrl: URL, login: string, redirectUrl: string): Promise<URL> {
  const cookies = new Map<string, string>();
  let next: { url: URL; body?: URLSearchParams } = { url: authorizationUrl };
  while (!next.url.href.startsWith(redirectUrl)) {
    const response = await fetch(next.url, {
      redirect: 'manual',
      headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
      ...(next.body && { method: 'POST', body: next.body }),
    });
    for (const cookie of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(cookie) ?? [];
      cookies.set(name, value);
    }
    const location = response.headers.get('location');
    next = location ? { url: new URL(location, next.url) } : fillIn(await response.text(), login);
  }
  return next.url;
}

function fillIn(page: string, login: string): { url: URL; body: URLSearchParams } {
  const [, action] = /<form[^>]* action="([^"]+)"/.exec(page) ?? [];
  const [, prompt = ''] = /name="prompt" value="(\w+)"/.exec(page) ?? [];
  if (!action) throw new Error(`There is no form on the page: ${page.slice(0, 500)}`);
  return { url: new URL(action), body: new URLSearchParams({ prompt, login, password: 'any' }) };
}
