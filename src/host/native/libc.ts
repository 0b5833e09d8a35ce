import { constants } from 'node:os'
import { errorMessage } from '../../base/index.ts'
import { HostError } from '../errors.ts'

type Koffi = typeof import('koffi').default
type Library = ReturnType<Koffi['load']>
type Declared = ReturnType<Library['func']>

/** The C library of this process, called without a child process (koffi; ADR 0008). */
export interface Libc {
  /** Declares a function by its C prototype, such as `int close(int fd)`. A call fails with `HostError` where it gives a negative number. */
  declare(prototype: string): LibcFunction
  /** The address of a buffer's bytes, for structs that hold pointers; the caller keeps the buffer alive. */
  addressOf(buffer: Buffer): bigint
}

export interface LibcFunction {
  /** On this thread, which waits. */
  call(...args: readonly unknown[]): number
  /** On a thread of the pool; at most four of koffi's and the file system's wait there at a time. */
  callAsync(...args: readonly unknown[]): Promise<number>
}

/** Where there is no native library for this machine: why, in one line. */
export interface NoLibc {
  readonly missing: string
}

let known: Promise<Libc | NoLibc> | undefined

/** Loads koffi once. Without it (an optional dependency, no binary for this platform) callers fall back to the Debian tools. */
export const loadLibc = (): Promise<Libc | NoLibc> => {
  known ??= load()
  return known
}

const load = async (): Promise<Libc | NoLibc> => {
  try {
    const { default: koffi } = await import('koffi')
    const library = koffi.load(null)
    return {
      declare: (prototype) => declared(koffi, library.func(prototype), prototype),
      addressOf: (buffer) => koffi.address(buffer),
    }
  } catch (error) {
    return { missing: `koffi cannot be loaded: ${errorMessage(error).split('\n')[0]}` }
  }
}

const declared = (koffi: Koffi, raw: Declared, prototype: string): LibcFunction => {
  const name = /(\w+)\s*\(/.exec(prototype)?.[1] ?? prototype
  const judge = (result: unknown, errno: number): number => {
    const number = Number(result)
    if (number < 0) throw libcError(name, errno)
    return number
  }
  return {
    call: (...args) => {
      const result: unknown = raw(...args)
      return judge(result, koffi.errno())
    },
    callAsync: (...args) =>
      new Promise((resolve, reject) => {
        raw.async(...args, (error: Error | null, result: unknown) => {
          if (error !== null && error !== undefined) return reject(error)
          try {
            // koffi hands the errno of the worker's thread on with the callback.
            resolve(judge(result, koffi.errno()))
          } catch (failure) {
            reject(failure)
          }
        })
      }),
  }
}

/** EWOULDBLOCK and ENOTSUP are second names of EAGAIN and EOPNOTSUPP. */
const NAMES = new Map(
  Object.entries(constants.errno)
    .filter(([name]) => name !== 'EWOULDBLOCK' && name !== 'ENOTSUP')
    .map(([name, number]) => [number, name]),
)

/** `HostError` for an errno: code `ENOENT` and the like. */
const libcError = (call: string, errno: number): HostError => {
  const code = NAMES.get(errno) ?? `errno ${errno}`
  return new HostError(`${call}: ${code}`, { code, command: [call] })
}
