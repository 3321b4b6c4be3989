/** Asks a server who it is, and puts what goes wrong into words that say what to do. No VS Code. */
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { isSshUrl, parseSshUrl } from '../../child-processes/ssh-address.ts';
import type { SshFailure } from '../../child-processes/ssh-failure.ts';

export interface ServerAddress {
  /** Base URL. */
  readonly url: string;
  readonly apiKey: string | null;
  /** `false` accepts any certificate. */
  readonly verify: boolean;
}

export type ServerProbe =
  | { readonly kind: 'works'; readonly model: string; readonly milliseconds: number }
  /** The key is missing (`hadKey` false) or wrong. */
  | { readonly kind: 'unauthorized'; readonly hadKey: boolean }
  | { readonly kind: 'certificate'; readonly reason: string }
  | { readonly kind: 'unreachable'; readonly reason: string }
  | { readonly kind: 'silent'; readonly seconds: number }
  /** ssh does not lead there. */
  | { readonly kind: 'tunnel'; readonly failure: SshFailure }
  /** Something answers, but not SGLang's API; `openAi`: it has OpenAI's. */
  | { readonly kind: 'other'; readonly status: number; readonly openAi: boolean };

const PATIENCE_SECONDS = 10;
/** Longest answer that is read, bytes: a model's description is short. */
const LONGEST = 1 << 20;

/** The path is the same in all versions; `/model_info` is the newer name of later ones. */
const PATHS = ['/get_model_info', '/model_info'] as const;

/** Never rejects. */
export async function probeServer(address: ServerAddress): Promise<ServerProbe> {
  const begin = performance.now();
  let status = 0;
  for (const path of PATHS) {
    const answer = await get(address, path);
    if (answer.kind !== 'answer') return answer;
    if (answer.status === 401 || answer.status === 403) {
      return { kind: 'unauthorized', hadKey: address.apiKey !== null };
    }
    status = answer.status;
    const model = answer.status === 200 ? modelPath(answer.body) : null;
    const milliseconds = Math.round(performance.now() - begin);
    if (model !== null) return { kind: 'works', model, milliseconds };
  }
  const models = await get(address, '/v1/models');
  return { kind: 'other', status, openAi: models.kind === 'answer' && models.status === 200 };
}

function modelPath(body: string): string | null {
  try {
    const parsed: unknown = JSON.parse(body);
    if (typeof parsed !== 'object' || parsed === null || !('model_path' in parsed)) return null;
    return String(parsed.model_path);
  } catch {
    return null;
  }
}

type Answer =
  | { readonly kind: 'answer'; readonly status: number; readonly body: string }
  | Extract<ServerProbe, { kind: 'certificate' | 'unreachable' | 'silent' }>;

function get({ url, apiKey, verify }: ServerAddress, path: string): Promise<Answer> {
  const target = new URL(url.replace(/\/+$/, '') + path);
  const headers = apiKey === null ? {} : { authorization: `Bearer ${apiKey}` };
  const options = { headers, timeout: PATIENCE_SECONDS * 1000, rejectUnauthorized: verify };
  return new Promise((resolve) => {
    let answered = false;
    const read = (response: IncomingMessage): void => {
      answered = true;
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
        if (body.length > LONGEST) response.destroy();
      });
      response.on('close', () =>
        resolve({ kind: 'answer', status: response.statusCode ?? 0, body }),
      );
    };
    const request =
      target.protocol === 'https:'
        ? httpsRequest(target, options, read)
        : httpRequest(target, options, read);
    // A server that sends byte after byte does not keep us either.
    const deadline = setTimeout(() => request.destroy(), PATIENCE_SECONDS * 1000);
    deadline.unref();
    request.on('close', () => {
      clearTimeout(deadline);
      if (!answered) resolve({ kind: 'silent', seconds: PATIENCE_SECONDS });
    });
    request.on('timeout', () => request.destroy());
    request.on('error', (error: NodeJS.ErrnoException) => resolve(failure(error)));
    request.end();
  });
}

const CERTIFICATE = /CERT|SELF_SIGNED|UNABLE_TO_VERIFY|ERR_TLS|ALTNAME/;

function failure(error: NodeJS.ErrnoException): Answer {
  const reason = error.code ?? error.message;
  if (CERTIFICATE.test(reason)) return { kind: 'certificate', reason };
  if (reason === 'EPROTO') {
    return { kind: 'unreachable', reason: 'EPROTO: the server speaks http, not https' };
  }
  return { kind: 'unreachable', reason };
}

/** The URLs in a text with commas between them, some maybe behind ssh; `null` when one of them is none. */
export function parseServerUrls(text: string): readonly string[] | null {
  const urls = text
    .split(',')
    .map((part) => part.trim().replace(/\/+$/, ''))
    .filter((part) => part !== '');
  const isHttp = (url: string): boolean =>
    URL.canParse(url) && /^https?:$/.test(new URL(url).protocol);
  const good = urls.every((url) => isHttp(url) || parseSshUrl(url) !== null);
  return good && urls.length > 0 ? urls : null;
}

/** Whether the address means the machine that asks. */
export function isLoopbackUrl(url: string): boolean {
  if (isSshUrl(url)) return false;
  return /^(localhost|127\.\d+\.\d+\.\d+|\[::1\]|0\.0\.0\.0)$/.test(new URL(url).hostname);
}
