/** Addresses of this machine, in all the ways in which notebooks write them. */
import type { BridgeMessage } from './guest/guest.ts';

const LOOPBACK_HOSTS = new Set(['localhost', '0.0.0.0', '[::]', '[::1]', '127.0.0.1']);

export function isLoopback(url: string): boolean {
  return URL.canParse(url) && LOOPBACK_HOSTS.has(new URL(url).hostname);
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
 * backends and requests at an address of this machine go there instead.
 */
export function redirected(message: BridgeMessage, endpoint: string | null): BridgeMessage {
  const { op, url } = message;
  if (endpoint === null || typeof url !== 'string' || !isLoopback(url)) return message;
  if (op === 'backend') return { ...message, url: endpoint };
  if (op !== 'http' && op !== 'http_open') return message;
  const { pathname, search } = new URL(url);
  return { ...message, url: endpoint.replace(/\/+$/, '') + pathname + search };
}
