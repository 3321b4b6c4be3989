/** `fetch` through an HTTP proxy. Its library is loaded with the first request: few have a proxy. */
import type * as Undici from 'undici';
import type { Environment } from './model-directory.ts';
import { ModelManagerError } from './model-error.ts';

/**
 * With `SGLNB_PROXY`, or the usual `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` in either case; `null`
 * when there are none. @throws ModelManagerError BAD_NAME when the proxy is no address
 */
export function proxyFetch(env: Environment): typeof fetch | null {
  const own = env['SGLNB_PROXY'] || null;
  const https = own ?? (env['HTTPS_PROXY'] || env['https_proxy'] || null);
  const http = own ?? (env['HTTP_PROXY'] || env['http_proxy'] || null);
  if (https === null && http === null) return null;
  for (const proxy of [https, http]) {
    if (proxy === null || (URL.canParse(proxy) && /^https?:$/.test(new URL(proxy).protocol)))
      continue;
    throw new ModelManagerError(
      'BAD_NAME',
      `The proxy must be an address such as http://proxy.example.org:3128, not "${proxy}". Check SGLNB_PROXY, HTTPS_PROXY and the setting http.proxy.`,
    );
  }
  const options = {
    ...(https === null ? {} : { httpsProxy: https }),
    ...(http === null ? {} : { httpProxy: http }),
    noProxy: env['NO_PROXY'] ?? env['no_proxy'] ?? '',
  };
  let loading: Promise<typeof fetch> | null = null;
  return async (input, init) => {
    loading ??= sendThrough(options);
    return (await loading)(input, init);
  };
}

async function sendThrough(
  options: ConstructorParameters<(typeof Undici)['EnvHttpProxyAgent']>[0],
): Promise<typeof fetch> {
  const { EnvHttpProxyAgent, fetch: undiciFetch } = await import('undici');
  const dispatcher = new EnvHttpProxyAgent(options);
  // SAFETY: undici's fetch is the one that Node's own is made of; only its types have other names.
  const send = undiciFetch as unknown as typeof fetch;
  return (input, init) => send(input, Object.assign({}, init, { dispatcher }));
}
