import type { NetlinkWriter } from '../netlink/index.ts'
import { PROTOCOLS } from './encode.ts'
import { ExpressionWriter, nativeBytes, STATUS_DNAT } from './expressions.ts'
import type { Table } from './objects.ts'
import { CODE } from './wire.ts'

/**
 * Writes a rule's text as expressions, the same that `nft` makes of it. Fails on text that it does not know: the statements here are those that
 * the proxy's chains are made of, and the suite compares each with what the tool puts into the kernel.
 */
export const writeRule = (writer: NetlinkWriter, family: Table['family'], rule: string): void => {
  const expressions = new ExpressionWriter(writer, family)
  for (let rest = rule; rest !== ''; ) {
    const statement = STATEMENTS.find(([pattern]) => pattern.test(rest))
    if (statement === undefined) throw new Error(`nft: rule text ${JSON.stringify(rest.slice(0, 100))} is unknown`)
    const [pattern, write] = statement
    const [text = '', ...words] = pattern.exec(rest) ?? []
    write(expressions, words)
    rest = rest.slice(text.length).trimStart()
  }
}

const FIELD = '(?:ip6? [sd]addr|meta l4proto|th dport|meta priority|ct mark|ct original ip6? daddr|ct original proto-dst)'
const KEY = `(${FIELD}(?: \\. ${FIELD})*)`
const statement = (text: string): RegExp => new RegExp(`^${text}(?= |$)`)

type Statement = readonly [RegExp, (write: ExpressionWriter, words: readonly string[]) => void]

/** Where nft puts what it needs beside a key of up to 16 bytes. */
const BESIDE = 4

const STATEMENTS: readonly Statement[] = [
  [statement('goto ([\\w-]+)'), (write, [chain]) => write.verdict(CODE.goto, chain)],
  [statement('jump ([\\w-]+)'), (write, [chain]) => write.verdict(CODE.jump, chain)],
  [statement('return'), (write) => write.verdict(CODE.return)],
  [statement('drop'), (write) => write.verdict(CODE.drop)],
  [statement('accept'), (write) => write.verdict(CODE.accept)],
  [statement('reject with tcp reset'), (write) => write.reject('tcp reset')],
  [statement('reject'), (write) => write.reject('unreachable')],
  [statement('masquerade fully-random'), (write) => write.masquerade()],
  [
    statement('meta l4proto (tcp|udp|sctp)'),
    (write, [name]) => {
      write.loadKey('meta l4proto', 0)
      write.compare(0, Uint8Array.of(PROTOCOLS.find(([each]) => each === name)?.[1] ?? 0))
    },
  ],
  [statement('fib saddr type local'), (write) => write.localSource()],
  [
    statement('ct status dnat'),
    (write) => {
      write.loadKey('ct status', 0)
      write.anyBit(0, STATUS_DNAT)
    },
  ],
  [
    statement('ct mark != 0'),
    (write) => {
      write.loadKey('ct mark', 0)
      write.compare(0, nativeBytes(0), true)
    },
  ],
  [
    statement('ct mark set 0'),
    (write) => {
      write.constant(0, nativeBytes(0))
      write.setMark(0)
    },
  ],
  [
    statement(`ct mark set jhash ${KEY} mod (\\d+) seed (0x[0-9a-f]+)`),
    (write, [key = '', modulus, seed]) => {
      const length = write.loadKey(key, BESIDE)
      write.hash(BESIDE, length, { modulus: Number(modulus), seed: Number(seed) })
      write.setMark(0)
    },
  ],
  [
    statement('meta priority set numgen random mod (\\d+) offset (\\d+)'),
    (write, [modulus, offset]) => {
      write.random(0, { modulus: Number(modulus), offset: Number(offset) })
      write.setPriority(0)
    },
  ],
  [
    statement(`(meta priority|ct mark) set ${KEY} map @([\\w-]+)`),
    (write, [target, key = '', map = '']) => {
      write.loadKey(key, 0)
      write.lookup(map, { into: 0 })
      if (target === 'ct mark') write.setMark(0)
      else write.setPriority(0)
    },
  ],
  [
    statement(`${KEY} (vmap |!= |)@([\\w-]+)`),
    (write, [key = '', how, set = '']) => {
      write.loadKey(key, 0)
      write.lookup(set, how === 'vmap ' ? 'verdict' : how === '!= ' ? 'is not' : 'is')
    },
  ],
  [
    statement(`dnat ip6? to ${KEY} map @([\\w-]+)`),
    (write, [key = '', map = '']) => {
      write.loadKey(key, 0)
      write.lookup(map, { into: 0 })
      write.dnat()
    },
  ],
  [
    statement(`update @([\\w-]+) \\{ ${KEY} timeout (\\d+)s : ${KEY} \\}`),
    (write, [set = '', key = '', seconds, data = '']) => {
      const beside = Math.max(BESIDE, write.loadKey(key, 0) / 4)
      write.loadKey(data, beside)
      write.changeSet(set, { kind: 'update', data: beside, timeoutMs: Number(seconds) * 1_000 })
    },
  ],
  [
    statement(`delete @([\\w-]+) \\{ ${KEY} : ${KEY} \\}`),
    (write, [set = '', key = '', data = '']) => {
      const beside = Math.max(BESIDE, write.loadKey(key, 0) / 4)
      write.loadKey(data, beside)
      write.changeSet(set, { kind: 'delete', data: beside })
    },
  ],
]
