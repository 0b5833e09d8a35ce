import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  aborted,
  type Clock,
  type Component,
  errorCode,
  errorMessage,
  type Logger,
  type Running,
  realClock,
  UserError,
} from '../../base/index.ts'
import { type CIDR, parseCIDR } from '../../ip/index.ts'
import type { Credential } from './authentication.ts'
import { type Calls, createCalls } from './calls.ts'
import { type Certificates, openCertificates, type StoredCertificate } from './certificates.ts'
import { type Cloud, createCloud } from './cloud.ts'
import { type ControlDeps, serveControl } from './control.ts'
import { serveCall } from './endpoint.ts'
import { createFaults } from './faults.ts'
import { holdFolder } from './folder-lock.ts'
import { type Forwarding, noForwarding } from './forwarding/contract.ts'
import { createForwarding } from './forwarding/forwarding.ts'
import { emptyInventory, type Inventory } from './inventory.ts'
import { openJournal } from './journal.ts'
import { claimRange } from './local-range.ts'
import { defaultQuotas, type Quotas } from './quotas.ts'
import { createRateLimit } from './rate-limit.ts'
import { createVipPool } from './vip-pool.ts'

export interface EmulatorOptions {
  /** Port 0 picks a free one. */
  readonly listen: { readonly address: string; readonly port: number }
  /** Holds the state; made when missing. One process at a time. */
  readonly dataDir: string
  readonly credentials: readonly Credential[]
  readonly inventory?: Partial<Inventory>
  readonly certificates?: readonly StoredCertificate[]
  readonly quotas?: Partial<Quotas>
  /** `ap-guangzhou` when left out. */
  readonly region?: string
  /** The account's number in the names of resources. */
  readonly uin?: string
  /** Addresses of load balancers. */
  readonly vipCidr?: string
  /** Public load balancers get a name instead of an address, unless they ask otherwise (`DynamicVip`). */
  readonly isDomainType?: boolean
  /** How long a task takes. */
  readonly taskMs?: number
  /** Calls of one action in a second; 0 for no limit. */
  readonly callsPerSecond?: number
  /** How long a second of health checks and of source sessions takes: less in tests. */
  readonly secondMs?: number
  /** False: nothing listens and every target is well, for benches of the API. */
  readonly isForwarding?: boolean
  /** What is added to a port that this user may not bind. */
  readonly portOffset?: number
  readonly log: Logger
  readonly clock?: Clock
}

export interface RunningEmulator extends Running {
  readonly address: string
  readonly port: number
}

/** The cloud on this machine. */
export interface Emulator extends Component {
  start(signal: AbortSignal): Promise<RunningEmulator>
}

/**
 * Creates the emulator; `start` throws `UserError` when the port or the folder can't be had.
 *
 * @example
 * const emulator = createEmulator({ listen: { address: '127.0.0.1', port: 0 }, dataDir, credentials: [{ secretId, secretKey }], log })
 * const { port, stopped } = await emulator.start(signal)
 */
export const createEmulator = (options: EmulatorOptions): Emulator => ({
  name: 'emulator',
  start: (signal) => start(options, signal),
})

const start = async (options: EmulatorOptions, signal: AbortSignal): Promise<RunningEmulator> => {
  const release = await holdFolder(options.dataDir)
  let unclaim = async (): Promise<void> => {}
  try {
    const cidr = vipRangeOf(options)
    const parts = assemble(options, cidr)
    unclaim = await claimRange(cidr)
    const server = createServer((request, response) => void serve(request, response, { ...parts, options }))
    const { address, port } = await listen(server, options.listen)
    await parts.cloud.resume()
    const stopped = aborted(signal).then(async () => {
      await close(server)
      await parts.cloud.stop()
      await unclaim()
      await release()
    })
    return { address, port, stopped }
  } catch (error) {
    await unclaim()
    await release()
    throw error
  }
}

interface Parts extends ControlDeps {
  readonly cloud: Cloud
  readonly clock: Clock
}

const DEFAULT_VIPS = '127.210.0.0/16'

const vipRangeOf = ({ vipCidr = DEFAULT_VIPS }: EmulatorOptions): CIDR => {
  const cidr = parseCIDR(vipCidr)
  if (cidr?.family === 'IPv4') return cidr
  throw new UserError(`--vip-cidr: ${JSON.stringify(vipCidr)} is no IPv4 range such as ${DEFAULT_VIPS}`, { exitCode: 2 })
}

const assemble = (options: EmulatorOptions, cidr: CIDR): Parts => {
  const { clock = realClock, dataDir, region = 'ap-guangzhou', log } = options
  const journal = openJournal(dataDir)
  const certificates = openCertificates(dataDir, options.certificates ?? [])
  const calls: Calls = createCalls(() => clock.monotonic())
  const faults = createFaults(Math.random)
  const forwarding = forwardingOf(options, certificates)
  const cloud = createCloud({
    region,
    uin: options.uin ?? '100000000001',
    inventory: { ...emptyInventory, ...options.inventory },
    quotas: { ...defaultQuotas, ...options.quotas },
    isDomainType: options.isDomainType ?? false,
    taskMs: options.taskMs ?? 100,
    journal,
    certificates,
    forwarding,
    vips: createVipPool(cidr, dataDir),
    faults,
    rateLimit: createRateLimit(options.callsPerSecond ?? 20, () => clock.monotonic()),
    calls,
    clock,
    log,
  })
  return { cloud, faults, calls, certificates, forwarding, region, clock }
}

/** Where a port that an ordinary user may not bind goes: 80 to 20080, 443 to 20443. */
const PORT_OFFSET = 20_000

const forwardingOf = (options: EmulatorOptions, certificates: Certificates): Forwarding => {
  if (options.isForwarding === false) return noForwarding
  const { clock = realClock, log, secondMs = 1_000, portOffset = PORT_OFFSET } = options
  return createForwarding({ clock, log, secondMs, portOffset, certificate: certificates.get })
}

const listen = (server: Server, at: EmulatorOptions['listen']): Promise<{ readonly address: string; readonly port: number }> =>
  new Promise((resolve, reject) => {
    server.once('error', (error) => reject(listenProblem(at, error)))
    server.listen(at.port, at.address, () => {
      server.removeAllListeners('error')
      // A server that listens on an address has one of these.
      const { port } = server.address() as AddressInfo
      resolve({ address: at.address, port })
    })
  })

const listenProblem = ({ address, port }: EmulatorOptions['listen'], error: Error): UserError => {
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: 'is already in use; stop what listens there or choose another port',
    EACCES: 'may not be bound by this user; choose a port above 1023',
    EADDRNOTAVAIL: 'is no address of this machine',
  }
  const code = errorCode(error) ?? ''
  return new UserError(`--listen: ${address}:${port} ${reasons[code] ?? `can't be listened on (${code || error.message})`}`, {
    cause: error,
  })
}

const close = (server: Server): Promise<void> =>
  new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })

const MAX_BODY = 4 * 1024 * 1024

const serve = async (
  request: IncomingMessage,
  response: ServerResponse,
  parts: Parts & { readonly options: EmulatorOptions },
): Promise<void> => {
  const { cloud, clock, options } = parts
  try {
    const body = await bodyOf(request)
    if (body === undefined) return void response.writeHead(413, { connection: 'close' }).end()
    if (request.url === '/' && request.method === 'POST')
      await serveCall(request, response, body, { cloud, clock, credentials: options.credentials })
    else if (request.url?.startsWith('/_emulator')) serveControl(request, response, body, parts)
    else response.writeHead(404, { 'content-type': 'text/plain' }).end('the API is POST /, the page is GET /_emulator/\n')
  } catch (error) {
    options.log.error('request failed', { error: errorMessage(error) })
    if (!response.headersSent) response.writeHead(500)
    response.end()
  }
}

const bodyOf = async (request: IncomingMessage): Promise<Uint8Array | undefined> => {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    // Nobody set an encoding, so chunks are buffers.
    const bytes = chunk as Buffer
    size += bytes.length
    if (size > MAX_BODY) return undefined
    chunks.push(bytes)
  }
  return Buffer.concat(chunks)
}
