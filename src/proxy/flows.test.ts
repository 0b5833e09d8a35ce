import { afterEach, describe, expect, it } from 'vitest'
import { endpointSliceKind, serviceKind } from '../api/index.ts'
import { silentLogger } from '../base/index.ts'
import { pausedClock } from '../base/testing/paused-clock.ts'
import { fakeInformer } from '../informers/testing/index.ts'
import { fakeConntrack } from '../kernel/conntrack/testing/index.ts'
import { sliceIndexes } from '../model/index.ts'
import { endpoint, port, service, slice } from '../model/testing/index.ts'
import { createProxy } from './index.ts'
import { fakeBackend } from './testing/index.ts'

const stops: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

const ports = [{ name: '', port: 5_353, protocol: 'UDP' as const }]
const packet = {
  protocol: 'UDP',
  source: { address: '10.1.1.9', port: 40_000 },
  destination: { address: '10.96.0.10', port: 53 },
} as const

/** A proxy of one UDP Service on a kernel that remembers flows. */
const running = async (supports: readonly 'TracksFlows'[]) => {
  const clock = pausedClock()
  const kernel = fakeConntrack()
  const backend = fakeBackend()
  kernel.setRules(({ source, destination }) => {
    const outcome = backend.send({ source: { class: 'pod', address: source.address }, destination, protocol: 'UDP' })
    if (outcome.kind !== 'reached') return { kind: 'drop' }
    const [address = '', number] = outcome.endpoint.split(':')
    return { kind: 'accept', destination: { address, port: Number(number) } }
  })
  const services = fakeInformer(serviceKind, [service('dns', { ports: [port(53, { protocol: 'UDP' })] })])
  const slices = fakeInformer(endpointSliceKind, [slice('dns', [endpoint('10.1.1.1')], { ports })], { indexes: sliceIndexes })
  const proxy = createProxy({
    services,
    slices,
    backend: { ...backend, supports: new Set([...backend.supports, ...supports]) },
    conntrack: kernel,
    nodeName: 'n1',
    nodePortAddresses: [],
    clock,
    log: silentLogger,
  })
  const stop = new AbortController()
  const { stopped } = await proxy.start(stop.signal)
  stops.push(async () => {
    stop.abort()
    await stopped
  })
  const move = (address: string): void => void slices.set(slice('dns', [endpoint(address)], { ports }))
  return { clock, kernel, backend, move }
}

describe('a flow to an endpoint that is gone', () => {
  it('finds the new one after the sync', async () => {
    const { clock, kernel, move } = await running(['TracksFlows'])
    expect(kernel.send(packet)?.address).toBe('10.1.1.1')
    move('10.1.1.2')
    await clock.advance(0)
    expect(kernel.send(packet)?.address).toBe('10.1.1.2')
  })

  it('is looked at again after a sync that failed half-way', async () => {
    const { clock, kernel, backend, move } = await running(['TracksFlows'])
    backend.failNext(new Error('busy'))
    move('10.1.1.2')
    await clock.advance(0)
    // Made under what the failed sync left behind.
    expect(kernel.send(packet)?.address).toBe('10.1.1.2')
    move('10.1.1.3')
    await clock.advance(1_000)
    expect(kernel.send(packet)?.address).toBe('10.1.1.3')
  })

  it('made while rules were replaced is found by the audit', async () => {
    const { clock, kernel, move } = await running(['TracksFlows'])
    kernel.setRules(() => ({ kind: 'accept', destination: { address: '10.1.1.1', port: 5_353 } }))
    move('10.1.1.2')
    await clock.advance(0)
    expect(kernel.send(packet)?.address).toBe('10.1.1.1')
    kernel.setRules(() => ({ kind: 'accept', destination: { address: '10.1.1.2', port: 5_353 } }))
    await clock.advance(7 * 60_000)
    expect(kernel.send(packet)?.address).toBe('10.1.1.2')
  })

  it('is left alone where the mode keeps flows itself', async () => {
    const { clock, kernel, move } = await running([])
    kernel.send(packet)
    move('10.1.1.2')
    await clock.advance(7 * 60_000)
    expect(kernel.lists).toBe(0)
  })
})
