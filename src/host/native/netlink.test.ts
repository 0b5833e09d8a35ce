import { describe, expect, it } from 'vitest'
import { loadLibc, openNetlink } from './index.ts'

const NETLINK_ROUTE = 0
const RTM_GETLINK = 18
const NLM_F_REQUEST_DUMP = 0x301
const NLMSG_DONE = 3

const dumpLinks = (): Buffer => {
  const message = Buffer.alloc(17 + 15)
  message.writeUInt32LE(message.length, 0)
  message.writeUInt16LE(RTM_GETLINK, 4)
  message.writeUInt16LE(NLM_F_REQUEST_DUMP, 6)
  message.writeUInt32LE(7, 8)
  return message
}

const libc = await loadLibc()

describe.skipIf('missing' in libc)('netlink sockets of the C library', () => {
  if ('missing' in libc) return
  it('asks the kernel for its links and gets loopback, on a thread of the pool and on this one', async () => {
    const socket = openNetlink(libc, NETLINK_ROUTE)
    try {
      await socket.send(dumpLinks())
      const links = await socket.receive()
      expect(links.includes('lo\0')).toBe(true)
      while ((await lastType(socket)) !== NLMSG_DONE);
      socket.sendNow(dumpLinks())
      expect(socket.receiveNow()?.includes('lo\0')).toBe(true)
    } finally {
      socket.close()
    }
  })
  it('says that nothing came within the time limit', async () => {
    const socket = openNetlink(libc, NETLINK_ROUTE, { timeoutMs: 20 })
    try {
      expect(socket.receiveNow()).toBeUndefined()
      await expect(socket.receive()).rejects.toMatchObject({ name: 'HostError', code: 'EAGAIN' })
    } finally {
      socket.close()
    }
  })
  it('refuses a protocol that does not exist with the errno', () => {
    expect(() => openNetlink(libc, 99)).toThrow(expect.objectContaining({ code: 'EPROTONOSUPPORT' }))
  })
  it('refuses a network namespace that does not exist', () => {
    expect(() => openNetlink(libc, NETLINK_ROUTE, { namespace: '/run/netns/there-is-none' })).toThrow('ENOENT')
  })
})

const lastType = async (socket: ReturnType<typeof openNetlink>): Promise<number> => {
  const datagram = await socket.receive()
  let type = 0
  for (let at = 0; at + 16 <= datagram.length; at += (datagram.readUInt32LE(at) + 3) & ~3) type = datagram.readUInt16LE(at + 4)
  return type
}
