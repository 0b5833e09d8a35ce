/**
 * A client in one network namespace: connects as often as it is told, one connection after another, with the system calls themselves, and answers
 * with how long each connect(2) took and how long all of it. Connections end with a reset, so that no port waits in TIME_WAIT.
 */
import { loadLibc } from '../../src/host/native/index.ts'
import type { Target } from '../../src/model/index.ts'

export interface Request {
  readonly targets: readonly Target[]
  readonly count: number
  /** Before each connection, so that what the one before left to do is done. */
  readonly pauseMicros: number
}

export interface Answer {
  /** Microseconds, in order of size. */
  readonly latencies: readonly number[]
  readonly seconds: number
  readonly failures: number
}

const AF_INET = 2
const SOCK_STREAM = 1
const SOL_SOCKET = 1
const SO_LINGER = 13

const libc = await loadLibc()
if ('missing' in libc) throw new Error(libc.missing)
const socket = libc.declare('int socket(int family, int type, int protocol)')
const connect = libc.declare('int connect(int fd, void *address, uint32_t length)')
const setsockopt = libc.declare('int setsockopt(int fd, int level, int name, void *value, uint32_t length)')
const close = libc.declare('int close(int fd)')

const socketAddress = ({ address, port }: Target): Buffer => {
  const bytes = Buffer.alloc(16)
  bytes.writeUInt16LE(AF_INET, 0)
  bytes.writeUInt16BE(port, 2)
  bytes.set(address.split('.').map(Number), 4)
  return bytes
}

const resetAtClose = Buffer.alloc(8)
resetAtClose.writeInt32LE(1)

/** By looking at the clock: a process that sleeps wakes up on a cold core, late. */
const pause = (micros: number): void => {
  const until = process.hrtime.bigint() + BigInt(micros * 1e3)
  while (process.hrtime.bigint() < until);
}

const run = ({ targets, count, pauseMicros }: Request): Answer => {
  const addresses = targets.map(socketAddress)
  const latencies: number[] = []
  let failures = 0
  const begun = process.hrtime.bigint()
  for (let index = 0; index < count; index++) {
    const fd = socket.call(AF_INET, SOCK_STREAM, 0)
    setsockopt.call(fd, SOL_SOCKET, SO_LINGER, resetAtClose, resetAtClose.length)
    if (pauseMicros > 0) pause(pauseMicros)
    const before = process.hrtime.bigint()
    try {
      connect.call(fd, addresses[index % addresses.length], 16)
      latencies.push(Number(process.hrtime.bigint() - before) / 1e3)
    } catch {
      failures++
    }
    close.call(fd)
  }
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9
  return { latencies: latencies.sort((a, b) => a - b), seconds, failures }
}

process.on('message', (request: Request) => process.send?.(run(request)))
process.on('disconnect', () => process.exit())
process.send?.('ready')
