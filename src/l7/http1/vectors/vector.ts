/**
 * One message or several from a client, byte by byte, and what the engine makes of them. `answers` are the statuses that the client gets;
 * then the connection is closed, or `open`: it must still be in step, which a further request shows. `pod` lists what reaches the pod, as
 * `METHOD target body`; the answers of a pod are all 200.
 */
export interface Vector {
  readonly send: string
  readonly answers: readonly number[]
  readonly isOpen: boolean
  readonly pod: readonly string[]
  /** Why this answer: a rule of RFC 9112 (`9112 6.1`), RFC 9110, RFC 3986, or a known attack. */
  readonly why: string
}

/** Refused: one answer, then the connection is closed and nothing reached the pod. */
export const refused = (status: number, why: string, ...sends: readonly string[]): readonly Vector[] =>
  sends.map((send) => ({ send, answers: [status], isOpen: false, pod: [], why }))

/** Passed on, and the connection stays in step. */
export const passed = (why: string, ...cases: readonly (readonly [send: string, ...pod: string[]])[]): readonly Vector[] =>
  cases.map(([send, ...pod]) => ({ send, answers: pod.map(() => 200), isOpen: true, pod, why }))

/** Some are passed on, then one is refused and the connection closed. */
export const passedThenRefused = (status: number, why: string, send: string, ...pod: readonly string[]): Vector => ({
  send,
  answers: [...pod.map(() => 200), status],
  isOpen: false,
  pod,
  why,
})

/** Passed on, and the connection is closed as the client wished. */
export const passedThenClosed = (why: string, send: string, ...pod: readonly string[]): Vector => ({
  send,
  answers: pod.map(() => 200),
  isOpen: false,
  pod,
  why,
})

export const message = (...lines: readonly string[]): string => `${lines.join('\r\n')}\r\n\r\n`
export const get = (...fields: readonly string[]): string => message('GET / HTTP/1.1', 'Host: a.b', ...fields)
export const post = (...fields: readonly string[]): string => message('POST / HTTP/1.1', 'Host: a.b', ...fields)
/** A request that an attacker hides behind another. */
export const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: a.b\r\n\r\n'
