import { randomBytes } from 'node:crypto'

/** A request's place in a trace (W3C Trace Context, level 1). */
export interface Trace {
  readonly traceId: string
  /** Of our span. */
  readonly spanId: string
  /** The client's span; empty when the trace begins here. */
  readonly parentId: string
  readonly isSampled: boolean
}

/** Version 00; a later version may have more after the flags, which is not read (section 4.3). */
const TRACE_PARENT = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(?:-.*)?$/
const NO_TRACE = '0'.repeat(32)
const NO_SPAN = '0'.repeat(16)

/** The client's trace; undefined when the field is missing, not well formed or all zero: a new trace is begun then. */
export const readTraceParent = (value: string | undefined): Omit<Trace, 'spanId'> | undefined => {
  const [whole, version, traceId = '', parentId = '', flags = ''] = TRACE_PARENT.exec(value ?? '') ?? []
  if (whole === undefined || version === 'ff' || traceId === NO_TRACE || parentId === NO_SPAN) return undefined
  if (version === '00' && whole.length !== 55) return undefined
  return { traceId, parentId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 }
}

export const traceParentOf = (trace: Trace): string => `00-${trace.traceId}-${trace.spanId}-${trace.isSampled ? '01' : '00'}`

/** Goes on with the client's trace or begins one. */
export const beginTrace = (value: string | undefined, sample: number): Trace => {
  const spanId = randomId(8)
  const parent = readTraceParent(value)
  if (parent !== undefined) return { ...parent, spanId }
  return { traceId: randomId(16), spanId, parentId: '', isSampled: Math.random() < sample }
}

const POOL_BYTES = 4_096
let pool: Buffer = Buffer.alloc(0)
let used = 0

/** Random bytes as hexadecimal digits; drawn from a pool, as a call to the kernel for each would cost more than the rest. */
const randomId = (bytes: number): string => {
  if (used + bytes > pool.length) {
    pool = randomBytes(POOL_BYTES)
    used = 0
  }
  used += bytes
  return pool.toString('hex', used - bytes, used)
}
