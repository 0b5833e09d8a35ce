import { post, type Vector } from './vector.ts'

/**
 * Chunked bodies that are none (RFC 9112 section 7.1). The head was passed on before the fault showed, so the pod's connection is closed
 * too and what it had of the request is no whole one.
 */
export const chunks: readonly Vector[] = (
  [
    [
      '9112 7.1: a size is hexadecimal digits',
      [
        'x\r\n',
        '-1\r\n',
        '+1\r\n',
        ' 1\r\n',
        '0x1\r\n',
        '1g\r\n',
        '1 \r\n',
        '1\t\r\n',
        '\r\n',
        ';a\r\n',
        '_1\r\n',
        '1.0\r\n',
        '\xd9\xa1\r\n',
        '\x001\r\n',
        '1\x00\r\n',
      ],
    ],
    [
      'a size that no body has; some servers wrap it to a small one',
      [
        '10000000000000000\r\n',
        'ffffffffffffffff\r\n',
        'FFFFFFFFFFFFF\r\n',
        '8000000000000000\r\n',
        '000000000000000000000000001\r\n',
      ],
    ],
    [
      '9112 2.2: a line ends in CR LF; a bare LF or CR hides where (CVE-2022-26377 and others)',
      [
        '1\na\r\n',
        '1\r\na\n0\r\n\r\n',
        '1\r\na\r0\r\n\r\n',
        '1\ra\r\n',
        '1\r\na\r\n0\n\r\n',
        '1;\na\r\n',
        '1;a=\nb\r\n',
        '1;a\rb\r\n',
        '1\r\r\na\r\n',
      ],
    ],
    [
      '9112 7.1: the data ends where its size says',
      ['1\r\nab\r\n', '2\r\na\r\n0\r\n\r\n', '3\r\nabcd\r\n0\r\n\r\n', '0\r\nGET /smuggled HTTP/1.1\r\n\r\n', '1\r\na0\r\n\r\n'],
    ],
    [
      '9112 5: trailer lines are field lines',
      [
        '0\r\n: x\r\n\r\n',
        '0\r\nA : b\r\n\r\n',
        '0\r\n A: b\r\n\r\n',
        '0\r\nA: b\n\r\n',
        '0\r\nA: b\rc\r\n\r\n',
        '0\r\nA: \x00\r\n\r\n',
        '0\r\nA\r\n\r\n',
        '0\r\nA: b\r\n folded\r\n\r\n',
        '0\r\nA(: b\r\n\r\n',
      ],
    ],
    [
      'too much of what is thrown away (CVE-2024-22019)',
      [`1;${'a'.repeat(5_000)}\r\n`, `0\r\nA: ${'b'.repeat(9_000)}\r\n\r\n`, `${'1;aaaaaaaa\r\na\r\n'.repeat(600)}`],
    ],
  ] as const
).flatMap(([why, bodies]) =>
  bodies.map((body) => ({ send: post('Transfer-Encoding: chunked') + body, answers: [400], isOpen: false, pod: [], why })),
)
