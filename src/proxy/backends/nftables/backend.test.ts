import { describe, expect, it } from 'vitest'
import { fakeNft } from '../../../kernel/nft/testing/index.ts'
import { serviceForwarding } from '../../../model/index.ts'
import { endpoint, port, service, slice } from '../../../model/testing/index.ts'
import { backendConformance } from '../../backend.conformance.ts'
import { FAKE_PLANS } from '../../testing/index.ts'
import { createNftablesBackend } from './index.ts'
import { sendThrough } from './testing/index.ts'

const { node } = FAKE_PLANS.IPv4
const serviceCIDRs = ['10.96.0.0/16']

backendConformance('nftables on the fake', async () => {
  const nft = fakeNft()
  return {
    backend: createNftablesBackend({ nft, serviceCIDRs }),
    plan: FAKE_PLANS.IPv4,
    send: async (packet) => sendThrough(nft, packet, node),
    close: async () => {},
  }
})

const web = (pods: readonly string[], affinity = false) => {
  const object = service('web', { ports: [port(80)], ...(affinity ? { sessionAffinity: 'ClientIP' as const } : {}) })
  const slices = [
    slice(
      'web',
      pods.map((address) => endpoint(address, { nodeName: 'n1' })),
    ),
  ]
  const meaning = serviceForwarding({ service: object, slices, node }, 'IPv4')
  if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
  return meaning.forwarding
}
const change = (set: readonly ReturnType<typeof web>[], full = false) => ({ full, set, delete: [], node })

describe('what nftables is told', () => {
  it('tells only what one endpoint changes, and nothing for the same again', async () => {
    const nft = fakeNft()
    const backend = createNftablesBackend({ nft, serviceCIDRs })
    await backend.sync(change([web(['10.1.1.1', '10.1.1.2', '10.1.1.3'])], true))
    const before = nft.committed.length
    await backend.sync(change([web(['10.1.1.1', '10.1.1.2', '10.1.1.3'])]))
    expect(nft.committed.length).toBe(before)
    await backend.sync(change([web(['10.1.1.2', '10.1.1.3'])]))
    const elements = (nft.committed.at(-1) ?? '').split('\n').filter((line) => line.includes(' element '))
    expect(elements.sort()).toEqual([
      'add element ip fairway endpoints { 10.96.0.10 . tcp . 80 . 0:1 : 10.1.1.3 . 8080 }',
      'add element ip fairway services { 10.96.0.10 . tcp . 80 : 0:2 }',
      'add element ip fairway verdicts { 0:2 : goto pick-cluster-2 }',
      'add element ip fairway verdicts-by-source { 0:2 : goto pick-cluster-2 }',
      'delete element ip fairway endpoints { 10.96.0.10 . tcp . 80 . 0:3, 10.96.0.10 . tcp . 80 . 0:1 }',
      'delete element ip fairway hairpin { 10.1.1.1 . 10.1.1.1 }',
      'delete element ip fairway services { 10.96.0.10 . tcp . 80 }',
    ])
  })
  it('reads the kernel back after a failure and then puts everything right', async () => {
    const nft = fakeNft()
    const backend = createNftablesBackend({ nft, serviceCIDRs })
    await backend.sync(change([web(['10.1.1.1'])], true))
    nft.flushRuleset()
    await expect(backend.sync(change([web(['10.1.1.2'])]))).rejects.toThrow('No such file')
    await backend.sync(change([]))
    const packet = {
      source: { class: 'node' as const, address: '192.0.2.1' },
      destination: { address: '10.96.0.10', port: 80 },
      protocol: 'TCP' as const,
    }
    expect(sendThrough(nft, packet, node)).toMatchObject({ kind: 'reached', endpoint: '10.1.1.2:8080' })
  })
  it('uses a constant number of chains, whatever the number of Services', async () => {
    const nft = fakeNft()
    const backend = createNftablesBackend({ nft, serviceCIDRs })
    const many = Array.from({ length: 50 }, (_, index) => {
      const object = service(`s${index}`, { clusterIP: `10.96.1.${index}`, clusterIPs: [`10.96.1.${index}`] })
      const meaning = serviceForwarding({ service: object, slices: [slice(`s${index}`, [endpoint('10.1.1.1')])], node }, 'IPv4')
      if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
      return meaning.forwarding
    })
    await backend.sync(change(many.slice(0, 1), true))
    const chains = (await nft.readTable({ family: 'ip', name: 'fairway' }))?.chains.length
    await backend.sync(change(many))
    expect((await nft.readTable({ family: 'ip', name: 'fairway' }))?.chains.length).toBe(chains)
  })
  it('starts with a reason where nft cannot be used', async () => {
    const nft = { ...fakeNft(), probe: async () => 'nft: no permission' }
    const backend = createNftablesBackend({ nft, serviceCIDRs })
    await expect(backend.start(new AbortController().signal, () => {})).rejects.toThrow('nft: no permission')
  })
})
