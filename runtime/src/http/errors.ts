/** An answer other than 200, in one of the shapes that SGLang uses. */
export class HttpError extends Error {
  readonly code = 'HTTP';
  readonly status: number;
  readonly body: unknown;

  constructor(status: number, message: string, body: unknown) {
    super(message);
    this.name = 'HttpError';
    this.status = status;
    this.body = body;
  }
}

/** `/generate` and its kin: `{"error":{"message":…}}`. */
export function nativeError(status: number, message: string): HttpError {
  return new HttpError(status, message, { error: { message } });
}

/** Requests that could not be read at all: the shape of SGLang 0.5 (0.4 answered 422). */
export function malformed(message: string): HttpError {
  return objectError(400, message, 'Bad Request');
}

/** OpenAI routes, and what is not an answer of the model: `{"object":"error",…}`. */
export function objectError(status: number, message: string, type: string): HttpError {
  return new HttpError(status, message, {
    object: 'error',
    message,
    type,
    param: null,
    code: status,
  });
}

export function notFound(): HttpError {
  return new HttpError(404, 'Not Found', { detail: 'Not Found' });
}

export function methodNotAllowed(): HttpError {
  return new HttpError(405, 'Method Not Allowed', { detail: 'Method Not Allowed' });
}

export function unauthorized(message = 'Unauthorized'): HttpError {
  return new HttpError(401, message, { error: message });
}
