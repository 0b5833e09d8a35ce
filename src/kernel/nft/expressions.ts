import type { NetlinkWriter } from '../netlink/index.ts'
import type { Table } from './objects.ts'
import { DATA, MEMBER, VERDICT } from './wire.ts'

/** Writes the expressions of rules: what `nft --debug=netlink` prints, one method for each. Registers are places of 4 bytes, from 0. */
export class ExpressionWriter {
  readonly #writer: NetlinkWriter
  readonly #family: Table['family']

  constructor(writer: NetlinkWriter, family: Table['family']) {
    this.#writer = writer
    this.#family = family
  }

  /** Loads the fields of a key one after another from a register on; gives how many bytes they are. */
  loadKey(fields: string, register: number): number {
    let at = register
    for (const field of fields.split(' . ')) {
      const loaded = this.#load(field, at)
      at += (loaded + 3) >> 2
    }
    return (at - register) * 4
  }

  verdict(code: number, chain?: string): void {
    this.#expression('immediate', (writer) => {
      writer.u32be(1, VERDICT_REGISTER)
      const data = writer.open(2)
      const verdict = writer.open(DATA.verdict)
      writer.u32be(VERDICT.code, code)
      if (chain !== undefined) writer.text(VERDICT.chain, chain)
      writer.close(verdict)
      writer.close(data)
    })
  }

  /** Goes on only where the register holds these bytes, or with `isNot` any other. */
  compare(register: number, bytes: Uint8Array, isNot = false): void {
    this.#expression('cmp', (writer) => {
      writer.u32be(1, registerNumber(register))
      writer.u32be(2, isNot ? 1 : 0)
      this.#value(3, bytes)
    })
  }

  /** Goes on only where one of the bits is set. */
  anyBit(register: number, bits: number): void {
    this.#expression('bitwise', (writer) => {
      writer.u32be(1, registerNumber(register))
      writer.u32be(2, registerNumber(register))
      writer.u32be(3, 4)
      this.#value(4, nativeBytes(bits))
      this.#value(5, ZERO)
    })
    this.compare(register, ZERO, true)
  }

  /** Looks a key up: goes on only where it is there (`is`) or not (`is not`), or puts its value into a register, or takes its verdict. */
  lookup(set: string, what: 'is' | 'is not' | 'verdict' | { readonly into: number }): void {
    this.#expression('lookup', (writer) => {
      writer.text(1, set)
      writer.u32be(2, registerNumber(0))
      if (what === 'verdict') writer.u32be(3, VERDICT_REGISTER)
      else if (typeof what === 'object') writer.u32be(3, registerNumber(what.into))
      if (what === 'is not') writer.u32be(5, INVERT)
    })
  }

  constant(register: number, bytes: Uint8Array): void {
    this.#expression('immediate', (writer) => {
      writer.u32be(1, registerNumber(register))
      this.#value(2, bytes)
    })
  }

  setMark(register: number): void {
    this.#expression('ct', (writer) => {
      writer.u32be(2, CT.mark)
      writer.u32be(4, registerNumber(register))
    })
  }

  setPriority(register: number): void {
    this.#expression('meta', (writer) => {
      writer.u32be(2, META.priority)
      writer.u32be(3, registerNumber(register))
    })
  }

  random(register: number, { modulus, offset }: { readonly modulus: number; readonly offset: number }): void {
    this.#expression('numgen', (writer) => {
      writer.u32be(1, registerNumber(register))
      writer.u32be(2, modulus)
      writer.u32be(3, NUMGEN_RANDOM)
      writer.u32be(4, offset)
    })
  }

  hash(from: number, length: number, { modulus, seed }: { readonly modulus: number; readonly seed: number }): void {
    this.#expression('hash', (writer) => {
      writer.u32be(1, registerNumber(from))
      writer.u32be(2, registerNumber(0))
      writer.u32be(3, length)
      writer.u32be(4, modulus)
      writer.u32be(5, seed)
      writer.u32be(6, 0)
      writer.u32be(7, HASH_JENKINS)
    })
  }

  /** Whether an address of this machine is the source. */
  localSource(): void {
    this.#expression('fib', (writer) => {
      writer.u32be(1, registerNumber(0))
      writer.u32be(2, FIB_RESULT_TYPE)
      writer.u32be(3, FIB_SOURCE)
    })
    this.compare(0, nativeBytes(RTN_LOCAL))
  }

  masquerade(): void {
    this.#expression('masq', (writer) => writer.u32be(1, NAT_FULLY_RANDOM))
  }

  /** The address is at register 0, the port behind it. */
  dnat(): void {
    const isIPv4 = this.#family === 'ip'
    this.#expression('nat', (writer) => {
      writer.u32be(1, NAT_DESTINATION)
      writer.u32be(2, isIPv4 ? 2 : 10)
      writer.u32be(3, registerNumber(0))
      writer.u32be(5, registerNumber(isIPv4 ? 1 : 4))
    })
  }

  reject(how: 'tcp reset' | 'unreachable'): void {
    this.#expression('reject', (writer) => {
      writer.u32be(1, how === 'tcp reset' ? REJECT.tcpReset : REJECT.unreachable)
      writer.u8(2, how === 'tcp reset' ? 0 : this.#family === 'ip' ? ICMP_PORT_UNREACHABLE : ICMPV6_PORT_UNREACHABLE)
    })
  }

  /** The key is at register 0. */
  changeSet(set: string, change: SetChange): void {
    this.#expression('dynset', (writer) => {
      writer.text(1, set)
      writer.u32be(3, change.kind === 'update' ? 1 : 2)
      writer.u32be(4, registerNumber(0))
      writer.u32be(5, registerNumber(change.data))
      if (change.kind === 'update') writer.u64be(6, BigInt(change.timeoutMs))
    })
  }

  /** Gives the number of bytes. */
  #load(field: string, register: number): number {
    const known = LOADS[`${this.#family === 'ip' ? '4' : '6'} ${field}`] ?? LOADS[field]
    if (known === undefined) throw new Error(`nft: field ${JSON.stringify(field)} is unknown`)
    const { expression, length } = known
    this.#expression(expression, (writer) => {
      writer.u32be(1, registerNumber(register))
      if (known.expression === 'payload') {
        writer.u32be(2, known.base)
        writer.u32be(3, known.offset)
        writer.u32be(4, known.length)
      } else {
        writer.u32be(2, known.key)
        if (known.expression === 'ct' && known.isOriginal) writer.u8(3, 0)
      }
    })
    return length
  }

  #value(type: number, bytes: Uint8Array): void {
    const nest = this.#writer.open(type)
    this.#writer.bytes(DATA.value, bytes)
    this.#writer.close(nest)
  }

  #expression(name: string, write: (writer: NetlinkWriter) => void): void {
    const writer = this.#writer
    const member = writer.open(MEMBER)
    writer.text(1, name)
    const data = writer.open(2)
    write(writer)
    writer.close(data)
    writer.close(member)
  }
}

export type SetChange =
  | { readonly kind: 'update'; readonly data: number; readonly timeoutMs: number }
  | { readonly kind: 'delete'; readonly data: number }

/** A number as the machine has it. */
export const nativeBytes = (number: number): Uint8Array => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(number)
  return bytes
}

export const STATUS_DNAT = 0x20

const ZERO = Buffer.alloc(4)
const VERDICT_REGISTER = 0
const INVERT = 1
const NUMGEN_RANDOM = 1
const HASH_JENKINS = 0
const FIB_RESULT_TYPE = 3
const FIB_SOURCE = 1
const RTN_LOCAL = 2
const NAT_DESTINATION = 1
const NAT_FULLY_RANDOM = 0x10
const REJECT = { unreachable: 0, tcpReset: 1 } as const
const ICMP_PORT_UNREACHABLE = 3
const ICMPV6_PORT_UNREACHABLE = 4
const META = { l4proto: 16, priority: 2 } as const
const CT = { status: 2, mark: 3, destinationPort: 12, destination4: 20, destination6: 22 } as const
const NETWORK = 1
const TRANSPORT = 2

/** 1 to 4 name registers of 16 bytes, 8 and more those of 4. */
const registerNumber = (register: number): number => (register % 4 === 0 ? 1 + register / 4 : 8 + register)

type Load =
  | { readonly expression: 'payload'; readonly base: number; readonly offset: number; readonly length: number }
  | { readonly expression: 'meta'; readonly key: number; readonly length: number }
  | { readonly expression: 'ct'; readonly key: number; readonly length: number; readonly isOriginal: boolean }

/** By the words of nft, behind the family where it makes a difference. */
const LOADS: Readonly<Record<string, Load>> = {
  '4 ip saddr': { expression: 'payload', base: NETWORK, offset: 12, length: 4 },
  '4 ip daddr': { expression: 'payload', base: NETWORK, offset: 16, length: 4 },
  '6 ip6 saddr': { expression: 'payload', base: NETWORK, offset: 8, length: 16 },
  '6 ip6 daddr': { expression: 'payload', base: NETWORK, offset: 24, length: 16 },
  'th dport': { expression: 'payload', base: TRANSPORT, offset: 2, length: 2 },
  'meta l4proto': { expression: 'meta', key: META.l4proto, length: 1 },
  'meta priority': { expression: 'meta', key: META.priority, length: 4 },
  'ct status': { expression: 'ct', key: CT.status, length: 4, isOriginal: false },
  'ct mark': { expression: 'ct', key: CT.mark, length: 4, isOriginal: false },
  '4 ct original ip daddr': { expression: 'ct', key: CT.destination4, length: 4, isOriginal: true },
  '6 ct original ip6 daddr': { expression: 'ct', key: CT.destination6, length: 16, isOriginal: true },
  'ct original proto-dst': { expression: 'ct', key: CT.destinationPort, length: 2, isOriginal: true },
}
