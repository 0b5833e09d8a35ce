import { describe, expect, it } from 'vitest'
import { pausedClock } from '../../../base/testing/paused-clock.ts'
import { port } from '../../../model/testing/index.ts'
import { createIpvsBackend } from './index.ts'
import { change, from, node, opened, serviceCIDRs, WEB, web, weights } from './testing/index.ts'

describe('an endpoint that is gone', () => {
  const draining = async (protocol: 'TCP' | 'UDP' = 'TCP') => {
    const clock = pausedClock()
    const { kernel, backend } = opened({ clock })
    const stop = new AbortController()
    const { stopped } = await backend.start(stop.signal, () => {})
    const spec = { ports: [port(80, { protocol })] }
    await backend.sync(change([web(['10.1.1.1', '10.1.1.2'], spec)], true))
    const packet = { source: '10.1.1.9', destination: WEB, protocol: protocol === 'UDP' ? ('udp' as const) : ('tcp' as const) }
    const held = [kernel.ipvs.connect(packet), kernel.ipvs.connect(packet)].find(({ real }) => real.address === '10.1.1.2')
    if (held === undefined) throw new Error('nobody took 10.1.1.2')
    const keep = (...pods: readonly string[]) => backend.sync(change([web(pods, spec)]))
    const end = async (): Promise<void> => {
      stop.abort()
      await stopped
    }
    return { clock, kernel, held, keep, end }
  }
  it('gets no new connections, and keeps those that it has until they end', async () => {
    const { clock, kernel, held, keep, end } = await draining()
    await keep('10.1.1.1')
    expect(await weights(kernel)).toEqual({ 1: 1, 2: 0 })
    for (let round = 0; round < 4; round++) {
      expect(kernel.send(from('10.1.1.9'), node)).toMatchObject({ endpoint: '10.1.1.1:8080' })
    }
    await clock.advance(5 * 60_000)
    expect(held.isCarried()).toBe(true)
    held.close()
    await clock.advance(60_000)
    expect(await weights(kernel)).toEqual({ 1: 1 })
    await end()
  })
  it('is removed after a quarter of an hour, whatever it carries', async () => {
    const { clock, kernel, held, keep, end } = await draining()
    await keep('10.1.1.1')
    await clock.advance(14 * 60_000)
    expect(held.isCarried()).toBe(true)
    await clock.advance(2 * 60_000)
    expect(held.isCarried()).toBe(false)
    expect(await weights(kernel)).toEqual({ 1: 1 })
    await end()
  })
  it('takes connections again when it comes back', async () => {
    const { clock, kernel, held, keep, end } = await draining()
    await keep('10.1.1.1')
    await keep('10.1.1.1', '10.1.1.2')
    expect(await weights(kernel)).toEqual({ 1: 1, 2: 1 })
    await clock.advance(20 * 60_000)
    expect(held.isCarried()).toBe(true)
    await end()
  })
  it('keeps its connections although it was the last, and new ones are refused', async () => {
    const { kernel, held, keep, end } = await draining()
    await keep()
    expect(held.isCarried()).toBe(true)
    expect(kernel.send(from('198.51.100.9'), node)).toEqual({ kind: 'refused' })
    expect(kernel.send(from('192.0.2.1'), node)).toEqual({ kind: 'refused' })
    await end()
  })
  it('is removed at once where there are no connections to end, as with UDP', async () => {
    const { kernel, keep, end } = await draining('UDP')
    await keep('10.1.1.1')
    expect(await weights(kernel, 'udp')).toEqual({ 1: 1 })
    await end()
  })
  it('is watched on by a process that starts anew', async () => {
    const { kernel, held, keep, end } = await draining()
    await keep('10.1.1.1')
    await end()
    const clock = pausedClock()
    const backend = createIpvsBackend({ kernel, serviceCIDRs, clock })
    const stop = new AbortController()
    const { stopped } = await backend.start(stop.signal, () => {})
    await backend.sync(change([web(['10.1.1.1'])], true))
    expect(held.isCarried()).toBe(true)
    held.close()
    await clock.advance(60_000)
    expect(await weights(kernel)).toEqual({ 1: 1 })
    stop.abort()
    await stopped
  })
  it('waits for a kernel that does not answer, and is removed when it does', async () => {
    const { clock, kernel, held, keep, end } = await draining()
    await keep('10.1.1.1')
    held.close()
    kernel.ipvs.failNext(new Error('ipvs: busy'))
    await clock.advance(31_000)
    expect(await weights(kernel)).toEqual({ 1: 1, 2: 0 })
    await keep('10.1.1.1')
    await clock.advance(60_000)
    expect(await weights(kernel)).toEqual({ 1: 1 })
    await end()
  })
})
