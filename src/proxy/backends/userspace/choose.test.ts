import { describe, expect, it } from 'vitest'
import { pausedClock } from '../../../base/testing/paused-clock.ts'
import { type Frontend, type PortForwarding, serviceForwarding } from '../../../model/index.ts'
import { endpoint, node, service, slice } from '../../../model/testing/index.ts'
import { createAffinityTable } from './affinity.ts'
import { choose, createPortState, updatePortState } from './choose.ts'

const web = (pods: number, affinitySeconds?: number): PortForwarding => {
  const spec =
    affinitySeconds === undefined
      ? {}
      : { sessionAffinity: 'ClientIP' as const, sessionAffinityConfig: { clientIP: { timeoutSeconds: affinitySeconds } } }
  const endpoints = Array.from({ length: pods }, (_, index) => endpoint(`10.1.1.${index + 1}`))
  const meaning = serviceForwarding({ service: service('web', spec), slices: [slice('web', endpoints)], node: node() }, 'IPv4')
  const port = meaning.kind === 'forwarding' ? meaning.forwarding.ports[0] : undefined
  if (port === undefined) throw new Error('no port')
  return port
}

const frontendOf = (port: PortForwarding): Frontend => {
  const [frontend] = port.frontends
  if (frontend === undefined) throw new Error('no frontend')
  return frontend
}

const setUp = (port: PortForwarding) => {
  const clock = pausedClock()
  const state = createPortState(port, clock, () => 0)
  const pick = (client: string, tried: readonly { address: string; port: number }[] = []): string | undefined =>
    choose(state, {
      frontend: frontendOf(port),
      client: { address: client, port: 1, localAddress: '10.96.0.10', localPort: 80 },
      source: 'pod',
      tried,
    })?.address
  return { clock, state, pick }
}

describe('choice without affinity', () => {
  it('takes turns', () => {
    const { pick } = setUp(web(3))
    expect([1, 2, 3, 4].map(() => pick('10.1.1.9'))).toEqual(['10.1.1.1', '10.1.1.2', '10.1.1.3', '10.1.1.1'])
  })

  it('leaves out what was tried, and gives up when all were', () => {
    const { pick } = setUp(web(2))
    const [one, two] = [
      { address: '10.1.1.1', port: 8080 },
      { address: '10.1.1.2', port: 8080 },
    ]
    expect(pick('10.1.1.9', [one])).toBe('10.1.1.2')
    expect(pick('10.1.1.9', [one, two])).toBeUndefined()
  })

  it('starts at a random turn', () => {
    const state = createPortState(web(3), pausedClock(), () => 2 / 65_536)
    const client = { address: '10.1.1.9', port: 1, localAddress: '', localPort: 80 }
    expect(choose(state, { frontend: frontendOf(state.current), client, source: 'pod', tried: [] })?.address).toBe('10.1.1.3')
  })
})

describe('choice with affinity', () => {
  it('remembers each client for its timeout, renewed by each connection', async () => {
    const { clock, pick } = setUp(web(3, 10))
    expect(pick('10.1.1.9')).toBe('10.1.1.1')
    expect(pick('10.1.1.8')).toBe('10.1.1.2')
    for (let round = 0; round < 5; round++) {
      await clock.advance(9_000)
      expect(pick('10.1.1.9')).toBe('10.1.1.1')
    }
    await clock.advance(10_000)
    expect(pick('10.1.1.9')).toBe('10.1.1.3')
  })

  it('falls through to a fresh choice, which it remembers, when the endpoint is gone or does not answer', () => {
    const { clock, state, pick } = setUp(web(3, 10))
    expect(pick('10.1.1.9')).toBe('10.1.1.1')
    expect(pick('10.1.1.9', [{ address: '10.1.1.1', port: 8080 }])).not.toBe('10.1.1.1')
    const remembered = pick('10.1.1.9')
    expect(remembered).not.toBe('10.1.1.1')
    updatePortState(state, { ...web(3, 10), cluster: [{ address: '10.1.1.1', port: 8080 }] }, clock)
    expect(pick('10.1.1.9')).toBe('10.1.1.1')
  })

  it('survives an update, takes a new timeout, and ends when affinity ends', async () => {
    const { clock, state, pick } = setUp(web(3, 10))
    pick('10.1.1.9')
    updatePortState(state, web(3, 60), clock)
    await clock.advance(30_000)
    expect(pick('10.1.1.9')).toBe('10.1.1.1')
    updatePortState(state, web(3), clock)
    expect(pick('10.1.1.9')).toBe('10.1.1.2')
  })
})

describe('affinity table', () => {
  it('forgets expired clients as new ones come, and never holds more than 65,536', () => {
    let now = 0
    const table = createAffinityTable(1_000, () => now)
    const target = { address: '10.1.1.1', port: 80 }
    for (let index = 0; index < 1_000; index++) table.remember(`a${index}`, target)
    now = 2_000
    table.remember('b', target)
    expect(table.size).toBe(1)
    for (let index = 0; index < 70_000; index++) table.remember(`c${index}`, target)
    expect(table.size).toBe(65_536)
    expect(table.recall('c0', [target])).toBeUndefined()
    expect(table.recall('c69999', [target])).toBe(target)
  })
})
