import { describe, expect, it } from 'vitest'
import { type Exec, HostError } from '../../host/index.ts'
import { netlinkError, parseMessages } from '../netlink/index.ts'
import {
  type ConnectedSocket,
  createSocketFreer,
  createSocketTool,
  networkNamespaces,
  OWN_NAMESPACE,
  openSockDiag,
} from './index.ts'
import { destroyRequest, listRequest, parseSocket } from './messages.ts'
import { probe } from './probe.ts'
import { type SockDiagHarness, sockDiagConformance } from './sockdiag.conformance.ts'
import { fakeSockDiag } from './testing/index.ts'
import { parseSockets } from './tool.ts'

const addresses = { client: { IPv4: '10.0.0.1', IPv6: 'fd00::1' }, remote: { IPv4: '10.0.0.2', IPv6: 'fd00::2' } } as const

// Netlink and ss pass the same table in test/netns/sockdiag.test.ts.
sockDiagConformance('fake', async (): Promise<SockDiagHarness> => {
  const sockDiag = fakeSockDiag()
  return {
    sockDiag,
    namespaces: ['/run/netns/a', '/run/netns/b'],
    ...addresses,
    async open({ namespace, from, to, family, connects = true }) {
      const client = to.address.includes(':') ? addresses.client.IPv6 : addresses.client.IPv4
      const socket = sockDiag.open({
        namespace,
        local: { address: client, port: from },
        ...(connects ? { remote: to } : {}),
        ...(family === undefined ? {} : { family }),
      })
      return { isConnected: async () => socket.send() !== 'EDESTADDRREQ', close: async () => socket.close() }
    },
    close: async () => {},
  }
})

const socket: ConnectedSocket = {
  namespace: OWN_NAMESPACE,
  family: 'IPv4',
  local: { address: '10.0.0.1', port: 4001 },
  remote: { address: '10.0.0.2', port: 5353 },
  interface: 3,
  cookie: 0x1_0000_0002n,
}
/** The kernel's answer has the id of the request after four bytes, and 20 bytes of counts after it. */
const answerFor = (each: ConnectedSocket, state = 1): Buffer => {
  const [request] = parseMessages(destroyRequest(each, 1))
  return Buffer.concat([
    Buffer.from([request?.payload[0] ?? 0, state, 0, 0]),
    request?.payload.subarray(8) ?? Buffer.alloc(0),
    Buffer.alloc(20),
  ])
}

describe('messages', () => {
  it('ask for connected UDP sockets of a family and a port', () => {
    expect(listRequest('IPv6', 5353, 7).toString('hex')).toBe(
      [
        '48000000',
        '1400',
        '0103',
        '07000000',
        '00000000',
        '0a110000',
        '02000000',
        '0000',
        '14e9',
        '00'.repeat(36),
        'ff'.repeat(8),
      ].join(''),
    )
  })
  it('name a socket to be ended as the kernel named it', () => {
    expect(parseSocket(answerFor(socket), OWN_NAMESPACE)).toEqual(socket)
    const mapped = { ...socket, family: 'IPv6' } as const
    expect(destroyRequest(mapped, 1).toString('hex')).toContain(`${'0'.repeat(20)}ffff0a000002`)
    expect(parseSocket(answerFor(mapped), OWN_NAMESPACE)).toEqual(mapped)
  })
  it('leave out what is not connected, and refuse what is cut off', () => {
    expect(parseSocket(answerFor(socket, 7), OWN_NAMESPACE)).toBeUndefined()
    expect(() => parseSocket(answerFor(socket).subarray(0, 71), OWN_NAMESPACE)).toThrow('71 bytes is cut off')
    expect(() => destroyRequest({ ...socket, remote: { address: 'web', port: 1 } }, 1)).toThrow('"web" is no address')
  })
})

describe('the output of ss', () => {
  const line = '0      0               10.0.0.1:4001          10.0.0.2:5353 ino:696030 sk:100000002 cgroup:/ <->'
  it.each([
    ['IPv4', line, socket],
    [
      'a user and an interface',
      line.replace('10.0.0.1:', '10.0.0.1%eth0:').replace(' ino', ' users:(("a b",pid=1,fd=2)) uid:5 ino'),
      socket,
    ],
    [
      'mapped IPv4',
      line.replace('10.0.0.1', '[::ffff:10.0.0.1]').replace('10.0.0.2', '[::ffff:10.0.0.2]'),
      { ...socket, family: 'IPv6' },
    ],
    [
      'IPv6',
      line.replace('10.0.0.1', '[fd00::1]').replace('10.0.0.2', '[fd00::2]'),
      { ...socket, family: 'IPv6', local: { address: 'fd00::1', port: 4001 }, remote: { address: 'fd00::2', port: 5353 } },
    ],
  ])('may have %s', (_what, text, expected) => {
    expect(parseSockets(`${text}\n`, OWN_NAMESPACE)).toEqual([{ ...expected, interface: 0 }])
  })
  it.each([
    ['cut off', line.slice(0, 40)],
    ['without cookie', line.replace('sk:100000002 ', '')],
    ['with names', line.replace('10.0.0.2', 'web.example')],
  ])('is refused when a line is %s', (_what, text) => {
    expect(() => parseSockets(text, OWN_NAMESPACE)).toThrow('is not understood')
  })
})

describe('probing', () => {
  it.each([
    ['the kernel shows none', [], 0, 'CONFIG_INET_UDP_DIAG'],
    ['the kernel ends none', [socket], 0, 'CONFIG_INET_DIAG_DESTROY'],
    ['the kernel cannot', [socket], netlinkError('sockets: end', { errno: 95 }), 'CONFIG_INET_DIAG_DESTROY'],
    ['rights are missing', [socket], netlinkError('sockets: end', { errno: 1 }), 'grant CAP_NET_ADMIN'],
    ['nobody knows UDP sockets', netlinkError('sockets: list', { errno: 2 }), 0, 'load the module udp_diag'],
    ['something else is wrong', netlinkError('sockets: list', { errno: 12 }), 0, 'Cannot allocate memory'],
  ])('says that %s', async (_what, found, ended, words) => {
    const connectedTo = async () => (found instanceof HostError ? Promise.reject(found) : found)
    const destroy = async () => (ended instanceof HostError ? Promise.reject(ended) : ended)
    expect(await probe({ connectedTo, destroy })).toContain(words)
  })
  it('says which tool is missing', async () => {
    const exec: Exec = () =>
      Promise.reject(
        new HostError('command nsenter not found; install it: apt-get install util-linux', {
          code: 'ENOENT',
          command: ['nsenter'],
        }),
      )
    expect(await openSockDiag({ libc: { missing: 'no koffi' }, exec })).toEqual({
      missing: expect.stringContaining('apt-get install util-linux'),
    })
    expect(await createSocketTool(exec).probe()).toContain('nsenter')
  })
})

describe('freeing the sockets of an endpoint', () => {
  it('ends only those that a Service led there', async () => {
    const sockDiag = fakeSockDiag()
    const open = (port: number) =>
      sockDiag.open({ namespace: 'pod', local: { address: '10.0.0.1', port }, remote: socket.remote })
    const [ours, direct] = [open(1), open(2)]
    const free = createSocketFreer({ sockDiag, namespaces: async () => ['pod'], isOurs: ({ cookie }) => cookie === ours.cookie })
    expect(await free(socket.remote)).toBe(1)
    expect(ours.send()).toBe('EDESTADDRREQ')
    expect(direct.send()).toEqual(socket.remote)
  })
})

describe('network namespaces', () => {
  it('are found by the processes in them, this one first', async () => {
    const found = await networkNamespaces()
    expect(found[0]).toBe(OWN_NAMESPACE)
    expect(new Set(found).size).toBe(found.length)
  })
})
