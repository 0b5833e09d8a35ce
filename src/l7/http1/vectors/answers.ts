/**
 * What a pod answers to one GET (or HEAD), byte by byte, and what the client gets. `kept`: the pod's connection serves the next request too.
 * A pod is no friend: what it sends may come from whoever took it over.
 */
export interface AnswerVector {
  readonly pod: string
  readonly method?: 'GET' | 'HEAD'
  readonly client: number
  /** Body that the client gets; undefined for the engine's own. */
  readonly body?: string
  readonly isKept: boolean
  /** More than the answer follows it. */
  readonly isPoison?: boolean
  readonly why: string
}

const ok = (...fields: readonly string[]): string => `${['HTTP/1.1 200 OK', ...fields].join('\r\n')}\r\n\r\n`

const refused = (why: string, ...answers: readonly string[]): readonly AnswerVector[] =>
  answers.map((pod) => ({ pod, client: 502, isKept: false, why }))

const passed = (
  why: string,
  isKept: boolean,
  ...cases: readonly (readonly [pod: string, body: string])[]
): readonly AnswerVector[] => cases.map(([pod, body]) => ({ pod, client: 200, body, isKept, why }))

export const answers: readonly AnswerVector[] = [
  ...refused(
    '9112 6.3: a length and a coding, or two lengths that differ: whoever shares the connection would get the rest',
    `${ok('Content-Length: 2', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
    `${ok('Transfer-Encoding: chunked', 'Content-Length: 2')}0\r\n\r\n`,
    `${ok('Content-Length: 2', 'Content-Length: 3')}abc`,
    `${ok('Content-Length: 2, 3')}abc`,
    `${ok('Content-Length: 2, 2')}ab`,
  ),
  ...refused(
    '9110 8.6: a length is digits',
    `${ok('Content-Length: +2')}ab`,
    `${ok('Content-Length: -2')}ab`,
    `${ok('Content-Length: 0x2')}ab`,
    `${ok('Content-Length: 2 2')}ab`,
    `${ok('Content-Length: ')}ab`,
    `${ok('Content-Length: 2.0')}ab`,
    `${ok('Content-Length: 99999999999999999999')}ab`,
  ),
  ...refused(
    '9112 6.1: a coding that we did not ask for',
    `${ok('Transfer-Encoding: gzip')}ab`,
    `${ok('Transfer-Encoding: gzip, chunked')}0\r\n\r\n`,
    `${ok('Transfer-Encoding: chunked, gzip')}0\r\n\r\n`,
    `${ok('Transfer-Encoding: identity')}ab`,
    `${ok('Transfer-Encoding: chunked', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
    'HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
  ),
  ...refused(
    '9112 4: no status line',
    '200 OK\r\n\r\n',
    'HTTP/1.1 OK\r\n\r\n',
    'HTTP/1.1 20 OK\r\n\r\n',
    'HTTP/1.1 2000 OK\r\n\r\n',
    'HTTP/1.1 abc OK\r\n\r\n',
    'HTTP/1.1 600 X\r\n\r\n',
    'HTTP/1.1 000 X\r\n\r\n',
    'HTTP/1.1  200 OK\r\n\r\n',
    'HTTP/1.1\t200 OK\r\n\r\n',
    ' HTTP/1.1 200 OK\r\n\r\n',
    'HTTP/2 200\r\n\r\n',
    'HTTP/1.2 200 OK\r\n\r\n',
    'http/1.1 200 OK\r\n\r\n',
    'ICY 200 OK\r\n\r\n',
    'HTTP/1.1 200 O\x00K\r\n\r\n',
    'HTTP/1.1 200 O\rK\r\n\r\n',
    '\x16\x03\x03\x00\x02\x02\x28\r\n\r\n',
    '<html>no protocol</html>\r\n\r\n',
  ),
  ...refused(
    '9112 5: field lines that are none: a client that reads them otherwise would see another answer',
    ok('A : b'),
    ok(' A: b'),
    ok('A: b', ' folded'),
    ok(': b'),
    ok('A'),
    ok('A b: c'),
    ok('A: b\x00'),
    ok('A: b\rSet-Cookie: c'),
    ok('A: b\nSet-Cookie: c'),
    ok('A\xe9: b'),
    'HTTP/1.1 200 OK\nContent-Length: 0\n\n',
  ),
  ...refused(
    '9110 15.2: a switch that nobody asked for',
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n',
  ),
  ...refused('too many interim answers', `${'HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(20)}${ok('Content-Length: 0')}`),
  ...refused('a head above the limits', ok(`A: ${'b'.repeat(40_000)}`), ok(...Array.from({ length: 200 }, (_, i) => `A${i}: b`))),
  ...passed(
    'framed well: the connection stays',
    true,
    [`${ok('Content-Length: 2')}ab`, 'ab'],
    [`${ok('content-length: 2')}ab`, 'ab'],
    [`${ok('Content-Length: 2', 'Content-Length: 2')}ab`, 'ab'],
    [ok('Content-Length: 0'), ''],
    [`${ok('Transfer-Encoding: chunked')}2\r\nab\r\n0\r\n\r\n`, 'ab'],
    [`${ok('Transfer-Encoding: Chunked')}1;x=y\r\na\r\n1\r\nb\r\n0\r\nX-Sum: 1\r\n\r\n`, 'ab'],
    [`HTTP/1.1 100 Continue\r\n\r\n${ok('Content-Length: 2')}ab`, 'ab'],
    [`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n${ok('Content-Length: 2')}ab`, 'ab'],
    ['HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nab', 'ab'],
    ['HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nab', 'ab'],
    ['HTTP/1.1 200 Gut so\xdf\r\nContent-Length: 2\r\n\r\nab', 'ab'],
    [`${ok('Content-Length: 2', 'Keep-Alive: timeout=5', 'Proxy-Connection: x')}ab`, 'ab'],
    [`${ok('Content-Length: 2', 'Connection: X-Drop', 'X-Drop: 1')}ab`, 'ab'],
    [`HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nab`, 'ab'],
  ),
  ...passed(
    'bytes after an answer belong to no request: poison; the connection is closed and nobody sees them',
    false,
    [`${ok('Content-Length: 2')}abcd`, 'ab'],
    [`${ok('Content-Length: 0')}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil`, ''],
    [`${ok('Transfer-Encoding: chunked')}1\r\na\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n`, 'a'],
  ).map((vector) => ({ ...vector, isPoison: true })),
  ...passed(
    '9112 9.6: the pod closes',
    false,
    [`${ok('Connection: close', 'Content-Length: 2')}ab`, 'ab'],
    [`${ok('Connection: foo, Close', 'Content-Length: 2')}ab`, 'ab'],
    ['HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nab', 'ab'],
  ),
  {
    pod: ok('Content-Length: 5'),
    method: 'HEAD',
    client: 200,
    body: '',
    isKept: true,
    why: '9110 9.3.2: an answer to HEAD has no body, whatever its length says',
  },
  { pod: ok('Transfer-Encoding: chunked'), method: 'HEAD', client: 200, body: '', isKept: true, why: '9110 9.3.2' },
  {
    pod: `${ok('Content-Length: 2')}ab`,
    method: 'HEAD',
    client: 200,
    body: '',
    isKept: false,
    isPoison: true,
    why: 'a body after an answer to HEAD is poison',
  },
  { pod: 'HTTP/1.1 204 No Content\r\n\r\n', client: 204, body: '', isKept: true, why: '9110 15.3.5: no body' },
  {
    pod: 'HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n',
    client: 204,
    body: '',
    isKept: true,
    why: '9110 8.6: no length either',
  },
  {
    pod: 'HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n',
    client: 204,
    body: '',
    isKept: true,
    why: '9112 6.1: no coding either',
  },
  {
    pod: 'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n',
    client: 304,
    body: '',
    isKept: true,
    why: '9110 15.4.5: the length of what is not sent',
  },
  { pod: 'HTTP/1.1 204 No Content\r\n\r\nevil', client: 204, body: '', isKept: false, isPoison: true, why: 'poison' },
]
