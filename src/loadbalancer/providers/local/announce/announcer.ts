import { randomUUID } from 'node:crypto'
import type { EndpointSlice, Node, Service } from '../../../../api/index.ts'
import { type Clock, type Component, errorMessage, type Logger, sleep } from '../../../../base/index.ts'
import { type Client, createLeaderElection, type LeaderElection } from '../../../../client/index.ts'
import { createHoldOff, type Informer } from '../../../../informers/index.ts'
import { parseAddress } from '../../../../ip/index.ts'
import { type AnnounceConfig, type Pool, rangeContains } from '../config.ts'
import { mayAnnounce } from './desired.ts'
import type { Device, Devices } from './device.ts'
import type { Teller } from './teller.ts'

export interface AnnouncerOptions {
  readonly client: Pick<Client, 'get' | 'create' | 'update'>
  readonly services: Informer<Service>
  /** With the index of `sliceIndexes`. */
  readonly slices: Informer<EndpointSlice>
  readonly nodes: Informer<Node>
  readonly nodeName: string
  /** Whose Services these are, by what is written on them. */
  readonly providerName: string
  readonly config: AnnounceConfig
  /** An address alone in its prefix that is of one of them is ours, also when an earlier run put it there. */
  readonly pools: readonly Pool[]
  readonly devices: Devices
  readonly teller: Teller
  readonly clock: Clock
  readonly log: Logger
}

/** How often a new holder says so, once a round: the first frame may be lost, and some hosts heed none that comes too soon. */
const TELL_ROUNDS = 5
const HOLD_OFF_MS = 50

/**
 * Stands for the addresses of load balancers on a real network: a Lease for each says which node has it on its device. The kernel takes an address away by itself
 * when this process does not renew it, so that a killed or stopped one is out of the way before the next node begins.
 */
export const createAnnouncer = (options: AnnouncerOptions): Component => ({
  name: 'announcer of addresses',
  start: async (signal) => ({ stopped: run(options, signal) }),
})

interface Candidacy {
  readonly election: LeaderElection
  readonly stop: AbortController
  readonly stopped: Promise<void>
  /** How often it was told since it is here. */
  told: number
}

const run = async (options: AnnouncerOptions, signal: AbortSignal): Promise<void> => {
  const { services, slices, nodes, config, clock, log, teller } = options
  const candidacies = new Map<string, Candidacy>()
  const endings = new Set<Promise<void>>()
  let isChanged = true
  let wake = (): void => {}
  const soon = createHoldOff({
    clock,
    holdOffMs: HOLD_OFF_MS,
    ceilingMs: 10 * HOLD_OFF_MS,
    fire: () => {
      isChanged = true
      wake()
    },
  })
  const subscriptions = [services, slices, nodes].map((informer) => informer.onChange(() => soon.touch('')))
  while (!signal.aborted) {
    const woken = new AbortController()
    wake = () => woken.abort()
    const dropped = isChanged ? standFor(options, candidacies, () => wake()) : []
    isChanged = false
    await renew(options, candidacies).catch((error: unknown) =>
      log.warn('addresses could not be put on the device', { error: errorMessage(error) }),
    )
    // Their addresses are off the device now: the next node may begin.
    for (const candidacy of dropped) endings.add(end(candidacy))
    await sleep(clock, config.leaseDurationMs / 5, AbortSignal.any([woken.signal, signal]))
  }
  for (const unsubscribe of subscriptions) unsubscribe()
  soon.cancel()
  await endAll(options, candidacies)
  await Promise.all(endings)
  teller.close()
}

const end = async ({ stop, stopped }: Candidacy): Promise<void> => {
  stop.abort()
  await stopped
}

/** Becomes a candidate for what is new; returns those that are wanted no more. */
const standFor = (options: AnnouncerOptions, candidacies: Map<string, Candidacy>, changed: () => void): readonly Candidacy[] => {
  const wanted = new Set(wantedAddresses(options))
  const dropped = [...candidacies].filter(([address]) => !wanted.has(address))
  for (const [address] of dropped) candidacies.delete(address)
  for (const address of wanted) if (!candidacies.has(address)) candidacies.set(address, stand(options, address, changed))
  return dropped.map(([, candidacy]) => candidacy)
}

const wantedAddresses = ({ services, slices, nodes, nodeName, providerName }: AnnouncerOptions): readonly string[] =>
  mayAnnounce({
    services: services.list(),
    slicesOf: ({ metadata }) => slices.byIndex('service', `${metadata.namespace ?? ''}/${metadata.name}`),
    providerName,
    nodeName,
    node: nodes.get(undefined, nodeName),
  })

const stand = ({ client, nodeName, config, clock, log }: AnnouncerOptions, address: string, changed: () => void): Candidacy => {
  const stop = new AbortController()
  const { leaseDurationMs } = config
  const election = createLeaderElection({
    client,
    lease: { namespace: config.leaseNamespace, name: leaseName(address) },
    identity: `${nodeName}_${randomUUID()}`,
    timing: { leaseDurationMs, renewDeadlineMs: leaseDurationMs * 0.6, retryPeriodMs: leaseDurationMs / 5 },
    clock,
    log,
  })
  election.onChange(changed)
  return { election, stop, stopped: election.start(stop.signal).then(({ stopped }) => stopped), told: 0 }
}

/** A name of the API: `fairway-address-192.0.2.1`, with dashes for IPv6. */
export const leaseName = (address: string): string =>
  `fairway-address-${address.replace(/^:/, '0:').replace(/:$/, ':0').replaceAll(':', '-')}`

/** Puts what this node holds on its device for a little while, tells of what is new, and takes away what it does not hold. */
const renew = async (options: AnnouncerOptions, candidacies: ReadonlyMap<string, Candidacy>): Promise<void> => {
  const { config, devices, teller, log } = options
  const [first, ...others] = await presentDevices(options)
  if (first === undefined) throw new Error(`there is none of ${config.interfaces.join(', ')}`)
  const held = [...candidacies].filter(([, { election }]) => election.isLeader)
  const addresses = held.map(([address]) => address)
  const stale = first.addresses.filter((address) => isOurs(options, address) && !addresses.includes(address))
  await devices.remove(first.name, stale)
  for (const [address, candidacy] of candidacies) if (!addresses.includes(address)) candidacy.told = 0
  // Gone before another node may think that it is free.
  await devices.hold(first.name, addresses, Math.max(1, Math.floor((config.leaseDurationMs * 0.6) / 1_000)))
  for (const [address, candidacy] of held) {
    if (candidacy.told >= TELL_ROUNDS) continue
    if (candidacy.told++ === 0) log.info('this node stands for an address', { address, device: first.name })
    for (const device of [first, ...others]) {
      const missing = await teller.tell(device, address)
      if (missing !== undefined) log.warn(missing, { address })
    }
  }
}

const presentDevices = async ({ config, devices }: AnnouncerOptions): Promise<readonly Device[]> => {
  const found = await Promise.all(config.interfaces.map((name) => devices.read(name)))
  return found.filter((device) => device !== undefined)
}

const isOurs = ({ pools }: AnnouncerOptions, text: string): boolean => {
  const address = parseAddress(text)
  return address !== undefined && pools.some(({ ranges }) => ranges.some((range) => rangeContains(range, address)))
}

/** Addresses first, then the leases: the next node begins when this one is out of the way. */
const endAll = async (options: AnnouncerOptions, candidacies: ReadonlyMap<string, Candidacy>): Promise<void> => {
  const [device] = await presentDevices(options).catch(() => [])
  const ours = device?.addresses.filter((address) => isOurs(options, address)) ?? []
  if (device !== undefined) await options.devices.remove(device.name, ours).catch(() => undefined)
  await Promise.all([...candidacies.values()].map(end))
}
