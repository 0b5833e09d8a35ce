import { closeSync, constants, openSync } from 'node:fs'
import { HostError } from '../errors.ts'
import type { Libc, LibcFunction } from './libc.ts'

/** Numbers of system calls; these are the same on every machine. */
const SYS_FSOPEN = 430
const SYS_FSCONFIG = 431
const SYS_FSMOUNT = 432

/**
 * A file descriptor of the root of the cgroup v2 tree through a mount of our own that has no place in the file system, so that nothing is
 * left to unmount; needs CAP_SYS_ADMIN and kernel 5.2.
 */
export const openCgroupRoot = (libc: Libc): number => {
  const { syscall } = callsOf(libc)
  const opened: number[] = []
  const call = (...args: readonly (number | bigint)[]): number => {
    const fd = syscall.call(...args, ...Array<number>(6 - args.length).fill(0))
    opened.push(fd)
    return fd
  }
  const name = Buffer.from('cgroup2\0')
  try {
    const context = call(SYS_FSOPEN, libc.addressOf(name))
    syscall.call(SYS_FSCONFIG, context, FSCONFIG_CMD_CREATE, 0, 0, 0)
    const mount = call(SYS_FSMOUNT, context)
    return openSync(`/proc/self/fd/${mount}`, constants.O_RDONLY | constants.O_DIRECTORY)
  } catch (error) {
    throw named(error, `mount of ${name.toString('latin1', 0, 7)}`)
  } finally {
    for (const fd of opened) closeSync(fd)
  }
}

const FSCONFIG_CMD_CREATE = 6
const SOL_SOCKET = 1
const SO_NETNS_COOKIE = 71
const AF_INET = 2
const SOCK_DGRAM = 2
const SOCK_CLOEXEC = 0o2000000
const CLONE_NEWNET = 0x4000_0000

/** The number by which programs know a network namespace: this process' own, or that of a file such as `/run/netns/node-1`. Kernel 5.14. */
export const networkCookie = (libc: Libc, namespace?: string): bigint => {
  const { socket, getsockopt, setns } = callsOf(libc)
  const cookie = (): bigint => {
    const fd = socket.call(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)
    try {
      const value = Buffer.alloc(8)
      const length = Buffer.from(Uint32Array.of(value.length).buffer)
      getsockopt.call(fd, SOL_SOCKET, SO_NETNS_COOKIE, value, length)
      return value.readBigUInt64LE()
    } finally {
      closeSync(fd)
    }
  }
  if (namespace === undefined) return cookie()
  const own = openSync('/proc/thread-self/ns/net', 'r')
  try {
    const other = openSync(namespace, 'r')
    try {
      setns.call(other, CLONE_NEWNET)
    } finally {
      closeSync(other)
    }
    try {
      return cookie()
    } finally {
      setns.call(own, CLONE_NEWNET)
    }
  } finally {
    closeSync(own)
  }
}

const named = (error: unknown, call: string): unknown =>
  error instanceof HostError ? new HostError(`${call}: ${error.code}`, { code: error.code, command: [call] }) : error

let known: Readonly<Record<'syscall' | 'socket' | 'getsockopt' | 'setns', LibcFunction>> | undefined

/** koffi keeps every declaration for ever, so each is made once. Pointers are passed to syscall(2) as the numbers that they are. */
const callsOf = (libc: Libc) => {
  known ??= {
    syscall: libc.declare('intptr_t syscall(intptr_t number, intptr_t a, intptr_t b, intptr_t c, intptr_t d, intptr_t e)'),
    socket: libc.declare('int socket(int family, int type, int protocol)'),
    getsockopt: libc.declare('int getsockopt(int fd, int level, int name, void *value, void *length)'),
    setns: libc.declare('int setns(int fd, int type)'),
  }
  return known
}
