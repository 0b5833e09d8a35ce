/**
 * A process that test/netns/ebpf.test.ts starts: a client in one of the lab's namespaces, or the holder of a backend that is to be killed.
 * One request a message, answered by `{id, result}` or `{id, error}`.
 */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { connect } from 'node:net'
import { errorCode } from '../../src/base/index.ts'
import { realExec } from '../../src/host/index.ts'
import { loadLibc } from '../../src/host/native/index.ts'
import { createBpf } from '../../src/kernel/bpf/index.ts'
import { createNft } from '../../src/kernel/nft/index.ts'
import type { Target } from '../../src/model/index.ts'
import type { Change } from '../../src/proxy/backend.ts'
import { createEbpfBackend } from '../../src/proxy/backends/ebpf/index.ts'
import { createNftablesBackend } from '../../src/proxy/backends/nftables/index.ts'

export type Request =
  | { readonly op: 'tcp'; readonly to: Target; readonly family?: 'IPv4' | 'IPv6' }
  | {
      readonly op: 'udp'
      readonly to: Target
      readonly isConnected: boolean
      readonly times: number
      readonly family?: 'IPv4' | 'IPv6'
    }
  /** Connects a UDP socket and keeps it. */
  | { readonly op: 'hold'; readonly to: Target }
  /** Sends on each held socket: `answered`, or the code of its failure. */
  | { readonly op: 'poke' }
  | { readonly op: 'sync'; readonly change: Change; readonly holder: Holder }

export interface Holder {
  /** Folder of the cgroup. */
  readonly cgroup: string
  /** Name of the node's network namespace. */
  readonly namespace: string
  readonly serviceCIDRs: readonly string[]
}

/** What a client saw. */
export interface Seen {
  /** The endpoints that answered. */
  readonly endpoints: readonly string[]
  /** Who the other side is by getpeername(2) or recvfrom(2), one for each answer. */
  readonly peers: readonly string[]
}

/** Short and plain, so that it is the programs' name. */
export const INSTANCE = 'fairway_lab'

/** The backend of a holder: the same in the test's process and in one that is killed. */
export const openBackend = async ({ cgroup, namespace, serviceCIDRs }: Holder) => {
  const libc = await loadLibc()
  if ('missing' in libc) throw new Error(libc.missing)
  const exec: typeof realExec = (argv, options) => realExec(['ip', 'netns', 'exec', namespace, ...argv], options)
  const inner = createNftablesBackend({ nft: createNft(exec), tableName: 'fairway-test', serviceCIDRs })
  const bpf = createBpf({ libc, namespace: `/run/netns/${namespace}` })
  return createEbpfBackend({ bpf, inner, cgroup, instance: INSTANCE })
}

const SILENCE_MS = 1_000

const tcp = async ({ address, port }: Target, family: 'IPv4' | 'IPv6' | undefined): Promise<Seen> => {
  const socket = connect({ host: family === 'IPv6' && !address.includes(':') ? `::ffff:${address}` : address, port })
  let answer = ''
  socket.on('data', (chunk) => {
    answer += chunk.toString()
  })
  await once(socket, 'connect')
  const peer = `${socket.remoteAddress}:${socket.remotePort}`
  await once(socket, 'end')
  return { endpoints: [answer.split(' ')[0] ?? ''], peers: [peer] }
}

const udp = async (request: Extract<Request, { op: 'udp' }>): Promise<Seen> => {
  const { to, isConnected, times, family } = request
  const socket = createSocket(family === 'IPv6' || to.address.includes(':') ? 'udp6' : 'udp4')
  const host = family === 'IPv6' && !to.address.includes(':') ? `::ffff:${to.address}` : to.address
  const endpoints: string[] = []
  const peers: string[] = []
  try {
    if (isConnected) {
      socket.connect(to.port, host)
      await once(socket, 'connect')
    }
    for (let turn = 0; turn < times; turn++) {
      const answer = once(socket, 'message', { signal: AbortSignal.timeout(SILENCE_MS) })
      if (isConnected) socket.send('hello')
      else socket.send('hello', to.port, host)
      const [message, from] = await answer
      endpoints.push(String(message).split(' ')[0] ?? '')
      peers.push(`${from.address}:${from.port}`)
      if (isConnected) peers.push(`${socket.remoteAddress().address}:${socket.remoteAddress().port}`)
    }
  } finally {
    socket.close()
  }
  return { endpoints, peers }
}

const held: { readonly socket: Socket; failure: string | undefined }[] = []

const hold = async ({ address, port }: Target): Promise<void> => {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
  const entry: (typeof held)[number] = { socket, failure: undefined }
  socket.connect(port, address)
  await once(socket, 'connect')
  socket.on('error', (error) => {
    entry.failure = errorCode(error) ?? error.message
  })
  held.push(entry)
}

const poke = (entry: (typeof held)[number]): Promise<string> =>
  new Promise((resolve) => {
    const { socket } = entry
    const timer = setTimeout(() => resolve(entry.failure ?? 'silence'), SILENCE_MS)
    const done = (outcome: string): void => {
      clearTimeout(timer)
      resolve(outcome)
    }
    if (entry.failure !== undefined) return done(entry.failure)
    socket.once('message', () => done('answered'))
    socket.send('hello', (error) => {
      if (error) done(errorCode(error) ?? error.message)
    })
  })

const act = async (request: Request): Promise<unknown> => {
  switch (request.op) {
    case 'tcp':
      return tcp(request.to, request.family)
    case 'udp':
      return udp(request)
    case 'hold':
      return hold(request.to)
    case 'poke':
      return Promise.all(held.map(poke))
    case 'sync':
      return (await openBackend(request.holder)).sync(request.change)
    default:
      return request satisfies never
  }
}

if (process.send !== undefined && process.argv[1]?.endsWith('ebpf-process.ts')) {
  process.on('message', ({ id, request }: { readonly id: number; readonly request: Request }) => {
    act(request).then(
      (result) => process.send?.({ id, result }),
      (error: unknown) => process.send?.({ id, error: String(error) }),
    )
  })
  process.on('disconnect', () => process.exit())
  process.send({ id: 0 })
}
