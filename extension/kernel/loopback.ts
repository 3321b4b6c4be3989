/** Addresses of this machine, in all the ways in which notebooks write them. */
import { isSshUrl } from '../child-processes/ssh-address.ts';
import type { EndpointOptions } from '../protocol/kernel-protocol.ts';
import type { BridgeMessage } from './guest/guest.ts';

const LOOPBACK_HOSTS = new Set(['localhost', '0.0.0.0', '[::]', '[::1]', '127.0.0.1']);

export function isLoopback(url: string): boolean {
  if (!URL.canParse(url) || isSshUrl(url)) return false;
  return LOOPBACK_HOSTS.has(new URL(url).hostname);
}

/** Whether this kernel may know what became of the server: one of this machine, or behind its own ssh. */
export function isKnownHere(url: string): boolean {
  return isSshUrl(url) || isLoopback(url);
}

/** A URL of this machine with the address that servers here listen on; other URLs unchanged. */
export function loopbackUrl(url: string): string {
  if (!isLoopback(url)) return url;
  const parsed = new URL(url);
  parsed.hostname = '127.0.0.1';
  return parsed.href.replace(/\/$/, '');
}

/**
 * With an endpoint set, a notebook that was written for its own local server talks to the endpoint:
 * SGLang backends and requests at an address of this machine go there instead, with the endpoint's key. Of
 * several endpoints, plain requests go to the first.
 */
export function redirected(
  message: BridgeMessage,
  endpoint: string | null,
  { apiKey }: EndpointOptions = {},
): BridgeMessage {
  const { op, url, headers } = message;
  if (endpoint === null || typeof url !== 'string' || !isLoopback(url)) return message;
  // Other services of this machine (Ollama, LM Studio) are what their address says: the endpoint would answer in
  // their place, with another model.
  if (op === 'backend')
    return message['kind'] === 'sglang' ? { ...message, url: endpoint } : message;
  if (op !== 'http' && op !== 'http_open') return message;
  const { pathname, search } = new URL(url);
  const [first = endpoint] = endpoint.split(',');
  const target = first.trim().replace(/\/+$/, '') + pathname + search;
  if (apiKey === undefined) return { ...message, url: target };
  return {
    ...message,
    url: target,
    headers: { ...Object(headers), authorization: `Bearer ${apiKey}` },
  };
}
