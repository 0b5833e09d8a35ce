/** `acceptor.ts PORT`: takes connections on all addresses and ends them, with the system calls themselves; ends when it is killed. */
import { loadLibc } from '../../src/host/native/index.ts'

const AF_INET = 2
const SOCK_STREAM = 1
const BACKLOG = 4_096

const libc = await loadLibc()
if ('missing' in libc) throw new Error(libc.missing)
const socket = libc.declare('int socket(int family, int type, int protocol)')
const bind = libc.declare('int bind(int fd, void *address, uint32_t length)')
const listen = libc.declare('int listen(int fd, int backlog)')
const accept = libc.declare('int accept(int fd, void *address, void *length)')
const close = libc.declare('int close(int fd)')

const address = Buffer.alloc(16)
address.writeUInt16LE(AF_INET, 0)
address.writeUInt16BE(Number(process.argv[2]), 2)
const fd = socket.call(AF_INET, SOCK_STREAM, 0)
bind.call(fd, address, address.length)
listen.call(fd, BACKLOG)
process.send?.('ready', () => {
  for (;;) {
    try {
      close.call(accept.call(fd, null, null))
    } catch {
      // A client that is gone before it was taken.
    }
  }
})
