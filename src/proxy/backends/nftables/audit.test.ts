import { beforeEach, describe, expect, it } from 'vitest'
import { HostError } from '../../../host/index.ts'
import { RefusedElements } from '../../../kernel/nft/index.ts'
import { type FakeNft, fakeNft } from '../../../kernel/nft/testing/index.ts'
import type { Forwarding, NodeView, Packet } from '../../../model/index.ts'
import { serviceForwarding } from '../../../model/index.ts'
import { endpoint, port, service, slice, vips } from '../../../model/testing/index.ts'
import type { Backend, FrontendStatus } from '../../backend.ts'
import { createNftablesBackend } from './index.ts'
import { sendThrough } from './testing/index.ts'

const node: NodeView = { name: 'n1', addresses: ['192.0.2.1'], podCIDRs: ['10.1.1.0/24'], nodePortAddresses: ['192.0.2.1'] }
const PODS = ['10.1.1.1', '10.1.1.2', '10.1.1.3']

const named = (name: string, spec: Parameters<typeof service>[1] = {}, pods: readonly string[] = PODS): Forwarding => {
  const endpoints = pods.map((address) => endpoint(address, { nodeName: 'n1' }))
  const object = service(
    name,
    { ports: [port(80)], ...spec },
    spec.type === 'LoadBalancer' ? { status: vips('203.0.113.1') } : {},
  )
  const meaning = serviceForwarding({ service: object, slices: [slice(name, endpoints)], node }, 'IPv4')
  if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
  return meaning.forwarding
}
const at = (clusterIP: string) => ({ clusterIP, clusterIPs: [clusterIP] })
const web = named('web', { ...at('10.96.0.10'), type: 'LoadBalancer', loadBalancerSourceRanges: ['198.51.100.0/24'] })
const change = (set: readonly Forwarding[], full = false, gone: readonly string[] = []) => ({ full, set, delete: gone, node })
const to = (address: string, number = 80): Packet => ({
  source: { class: 'outside', address: '198.51.100.9' },
  destination: { address, port: number },
  protocol: 'TCP',
})

let nft: FakeNft
let backend: Backend
beforeEach(async () => {
  nft = fakeNft()
  backend = createNftablesBackend({ nft, serviceCIDRs: ['10.96.0.0/16'] })
  await backend.sync(change([web], true))
})
const reach = (address: string, number?: number) => sendThrough(nft, to(address, number), node).kind

describe('an audit', () => {
  it('finds nothing after changes of its own, and reads nothing where nobody else changed any rule', async () => {
    await backend.sync(change([named('web', at('10.96.0.10'), PODS.slice(1))]))
    nft.failReads(new Error('the table was read'))
    expect(await backend.audit()).toEqual([])
    nft.meddle('add table ip someone-else')
    await expect(backend.audit()).rejects.toThrow('the table was read')
    expect(await backend.audit()).toEqual([])
  })

  it('ends when it is cut short, whether it reads or compares, and leaves the next change as cheap as it was', async () => {
    for (const where of ['before', 'after'] as const) {
      const cut = new AbortController()
      const reading: FakeNft = {
        ...nft,
        async readTable(table, signal) {
          const abort = (): void => signal && cut.abort(new Error('a sync waits'))
          if (where === 'before') abort()
          signal?.throwIfAborted()
          const contents = await nft.readTable(table)
          abort()
          return contents
        },
      }
      const other = createNftablesBackend({ nft: reading, serviceCIDRs: ['10.96.0.0/16'] })
      await other.sync(change([web], true))
      nft.meddle('add table ip someone-else', 'delete element ip fairway services { 203.0.113.1 . tcp . 80 }')
      const before = nft.committed.length
      await expect(other.audit(cut.signal)).rejects.toThrow('a sync waits')
      expect(nft.committed).toHaveLength(before)
      nft.failReads(new Error('the table was read'))
      await other.sync(change([named('api', at('10.96.0.11'))]))
      nft.failReads()
      expect(await other.audit()).toEqual([expect.objectContaining({ kind: 'missing', key: web.key })])
      expect(reach('203.0.113.1')).toBe('reached')
      await other.sync(change([], false, ['IPv4 default/api']))
    }
  })

  it('takes nothing out of what it read where all is as it was told', async () => {
    const untouchable: FakeNft = {
      ...nft,
      async readTable(table) {
        const contents = await nft.readTable(table)
        for (const set of contents?.elements.values() ?? []) {
          Object.assign(set, {
            take: () => {
              throw new Error('taken')
            },
          })
        }
        return contents
      },
    }
    const other = createNftablesBackend({ nft: untouchable, serviceCIDRs: ['10.96.0.0/16'] })
    nft.flushRuleset()
    await other.sync(change([web], true))
    nft.meddle('add table ip someone-else')
    expect(await other.audit()).toEqual([])
    nft.meddle('add element ip fairway services { 203.0.113.9 . tcp . 80 : 0:3 }')
    await expect(other.audit()).rejects.toThrow('taken')
  })

  const element = (text: string) => `${text} in table ip fairway`
  it.each([
    [
      'an element that is gone',
      ['delete element ip fairway services { 203.0.113.1 . tcp . 80 }'],
      [{ kind: 'missing', key: web.key, what: element('element 203.0.113.1 . tcp . 80 : ffff:3 of map services') }],
    ],
    [
      'an endpoint that leads elsewhere',
      [
        'delete element ip fairway endpoints { 203.0.113.1 . tcp . 80 . 0:1 }',
        'add element ip fairway endpoints { 203.0.113.1 . tcp . 80 . 0:1 : 10.6.6.6 . 8080 }',
      ],
      [
        {
          kind: 'changed',
          key: web.key,
          what: element('element 203.0.113.1 . tcp . 80 . 0:1 : 10.1.1.1 . 8080 of map endpoints'),
        },
      ],
    ],
    [
      'a source that nobody allowed',
      ['add element ip fairway allowed { 203.0.113.1 . tcp . 80 . 10.0.0.0/8 }'],
      [{ kind: 'foreign', key: web.key, what: element('element 203.0.113.1 . tcp . 80 . 10.0.0.0/8 of set allowed') }],
    ],
    [
      'a frontend of nobody',
      ['add element ip fairway services { 10.96.0.99 . tcp . 80 : 0:3 }'],
      [{ kind: 'foreign', what: element('element 10.96.0.99 . tcp . 80 : 0:3 of map services') }],
    ],
    [
      'a range of pods that is none',
      ['add element ip fairway pods { 10.9.0.0/16 }'],
      [{ kind: 'foreign', what: element('element 10.9.0.0/16 of set pods') }],
    ],
    [
      'a rule that was put between ours',
      ['add rule ip fairway dispatch drop'],
      [{ kind: 'changed', what: element('rules of chain dispatch') }],
    ],
    [
      'a chain without its rules',
      ['flush chain ip fairway pick-cluster-3'],
      [{ kind: 'changed', what: element('rules of chain pick-cluster-3') }],
    ],
    [
      'a chain on a hook',
      ['add chain ip fairway evil { type nat hook prerouting priority -200 ; policy accept ; }', 'add rule ip fairway evil drop'],
      [{ kind: 'foreign', what: element('chain evil') }],
    ],
    ['a set', ['add set ip fairway evil { type ipv4_addr ; }'], [{ kind: 'foreign', what: element('set evil') }]],
    ['no table at all, which is one thing', ['delete table ip fairway'], [{ kind: 'missing', what: 'table ip fairway' }]],
    [
      'a table of other sets',
      ['delete table ip fairway', 'add table ip fairway', 'add set ip fairway pods { type mark ; }'],
      [{ kind: 'changed', what: 'sets of table ip fairway' }],
    ],
  ])('finds %s, and puts it right', async (_, commands, drift) => {
    nft.meddle(...commands)
    expect(await backend.audit()).toEqual(drift)
    expect(reach('203.0.113.1')).toBe('reached')
    const contents = JSON.stringify(await nft.readTable({ family: 'ip', name: 'fairway' }))
    expect(contents).not.toContain('evil')
    nft.meddle('add table ip someone-else')
    expect(await backend.audit()).toEqual([])
  })

  it('replaces a table of other sets in one transaction, however large', async () => {
    const many = Array.from({ length: 1_000 }, (_, index) => named(`s${index}`, at(`10.96.${1 + (index >> 8)}.${index & 255}`)))
    await backend.sync(change([web, ...many]))
    nft.meddle('delete table ip fairway', 'add table ip fairway', 'add set ip fairway pods { type mark ; }')
    const before = nft.committed.length
    await backend.audit()
    expect(nft.committed.length - before).toBe(1)
    expect(reach('10.96.4.1')).toBe('reached')
  })

  it('replaces a table that cannot be mended piece by piece', async () => {
    nft.meddle('delete chain ip fairway output', 'add chain ip fairway output', 'add rule ip fairway postrouting jump output')
    expect(await backend.audit()).toContainEqual({ kind: 'changed', what: 'hook of chain output in table ip fairway' })
    const contents = await nft.readTable({ family: 'ip', name: 'fairway' })
    expect(contents?.chains.find(({ name }) => name === 'output')?.hook).toBeDefined()
    expect(reach('203.0.113.1')).toBe('reached')
  })

  it('removes chains that no frontend is led to any longer', async () => {
    const chains = async () => (await nft.readTable({ family: 'ip', name: 'fairway' }))?.chains.map(({ name }) => name) ?? []
    await backend.sync(change([named('web', { ...at('10.96.0.10'), sessionAffinity: 'ClientIP' })]))
    expect(await chains()).toEqual(expect.arrayContaining(['sticky-cluster-3-10800', 'stick-10800', 'pick-cluster-3']))
    await backend.sync(change([named('web', at('10.96.0.10'), PODS.slice(1))]))
    expect(await chains()).toContain('sticky-cluster-3-10800')
    expect(await backend.audit()).toEqual([])
    expect((await chains()).filter((name) => /^(pick|stick)/.test(name))).toEqual(['pick-cluster-2'])
    await backend.sync(change([web]))
    expect(reach('203.0.113.1')).toBe('reached')
  })
})

describe('foreign changes', () => {
  it('are told between the start and the end', async () => {
    let count = 0
    const listening = createNftablesBackend({ nft, serviceCIDRs: [], onForeignChange: () => count++ })
    const stop = new AbortController()
    const { stopped } = await listening.start(stop.signal, () => {})
    await listening.sync(change([web], true))
    expect(count).toBe(0)
    nft.flushRuleset()
    expect(count).toBe(1)
    expect(await listening.audit()).toEqual([
      { kind: 'missing', what: 'table ip fairway' },
      { kind: 'missing', what: 'table ip6 fairway' },
    ])
    stop.abort()
    await stopped
    nft.flushRuleset()
    expect(count).toBe(1)
  })
})

describe('a Service that the kernel refuses', () => {
  const statuses: FrontendStatus[] = []
  beforeEach(async () => {
    statuses.length = 0
    await backend.start(new AbortController().signal, (status) => statuses.push(status))
  })
  const bad = named('bad', at('10.96.0.11'))
  const good = named('good', at('10.96.0.12'))
  const brief = () => statuses.map(({ name, state, address, port: number }) => `${name} ${state} ${address}:${number}`)

  it('is a status with the reason, and the others are carried', async () => {
    nft.refuse(({ key }) => key.startsWith('10.96.0.11 . tcp . 80 . 0:2'))
    await backend.sync(change([bad, good]))
    expect(brief()).toEqual(['bad failed 10.96.0.11:80'])
    expect(backend.exceptions()).toEqual([
      expect.objectContaining({
        key: bad.key,
        kind: 'ClusterIP',
        state: 'failed',
        code: 'ENOSPC',
        message: expect.stringContaining('element 10.96.0.11 . tcp . 80 . 0:2 : 10.1.1.2 . 8080 of map endpoints'),
      }),
    ])
    expect([reach('10.96.0.11'), reach('10.96.0.12')]).toEqual(['refused', 'reached'])
  })
  it('has nothing of what it had before, also where that was shared', async () => {
    await backend.sync(change([bad, good]))
    nft.refuse(({ key }) => key.startsWith('10.96.0.11 . tcp . 80 . 0:1'))
    await backend.sync(change([named('bad', at('10.96.0.11'), ['10.1.1.9'])]))
    const members = [...((await nft.readTable({ family: 'ip', name: 'fairway' }))?.elements ?? [])].flatMap(([, each]) =>
      [...each].map(([key]) => key),
    )
    expect(members.filter((key) => key.includes('10.96.0.11') || key.includes('10.1.1.9'))).toEqual([])
    expect(reach('10.96.0.12')).toBe('reached')
  })
  it('costs the others nothing when they change later', async () => {
    nft.refuse(({ key }) => key.startsWith('10.96.0.11'))
    await backend.sync(change([bad, good]))
    nft.failReads(new Error('the table was read'))
    await backend.sync(change([named('good', at('10.96.0.12'), PODS.slice(1))]))
    expect(reach('10.96.0.12')).toBe('reached')
  })
  it('is tried again when it changes and at each audit, without being called drift', async () => {
    nft.refuse(({ key }) => key.startsWith('10.96.0.11'))
    await backend.sync(change([bad, good]))
    expect(await backend.audit()).toEqual([])
    expect(brief()).toEqual(['bad failed 10.96.0.11:80'])
    nft.refuse()
    expect(await backend.audit()).toEqual([])
    expect(brief()).toEqual(['bad failed 10.96.0.11:80', 'bad serving 10.96.0.11:80'])
    expect(backend.exceptions()).toEqual([])
    expect(reach('10.96.0.11')).toBe('reached')
  })
  it('is gone when it is deleted', async () => {
    nft.refuse(({ key }) => key.startsWith('10.96.0.11'))
    await backend.sync(change([bad]))
    await backend.sync(change([], false, [bad.key]))
    expect(brief()).toEqual(['bad failed 10.96.0.11:80', 'bad gone 10.96.0.11:80'])
  })
  it('is found among many, in a load of everything', async () => {
    const many = Array.from({ length: 1_500 }, (_, index) => named(`s${index}`, at(`10.96.${1 + (index >> 8)}.${index & 255}`)))
    nft.refuse(({ key }) => key.startsWith('10.96.3.7 '))
    await backend.sync(change(many, true))
    expect(backend.exceptions().map(({ address }) => address)).toEqual(['10.96.3.7'])
    expect([reach('10.96.3.6'), reach('10.96.3.7'), reach('10.96.3.8')]).toEqual(['reached', 'refused', 'reached'])
  })
  it.each([
    ['the tool', { code: 'EEXIT', stderr: 'Error: Could not process rule: No space left on device' }],
    ['an old kernel', { code: 'ENOSPC', stderr: '' }],
  ])('is found among many by halves where %s does not say which element', async (_, { code, stderr }) => {
    const commit: FakeNft['commit'] = async (transaction) => {
      try {
        await nft.commit(transaction)
      } catch (error) {
        throw error instanceof RefusedElements ? new HostError('nft: refused', { code, stderr, command: ['nft'] }) : error
      }
    }
    const vague = createNftablesBackend({ nft: { ...nft, commit }, serviceCIDRs: [] })
    const many = Array.from({ length: 40 }, (_, index) => named(`s${index}`, at(`10.96.1.${index}`)))
    nft.refuse(({ key }) => /^10.96.1.(7|31) /.test(key))
    await vague.sync(change(many, true))
    expect(vague.exceptions().map(({ address }) => address)).toEqual(['10.96.1.7', '10.96.1.31'])
    expect([reach('10.96.1.6'), reach('10.96.1.30'), reach('10.96.1.39')]).toEqual(['reached', 'reached', 'reached'])
  })
  it('can be one that claims the frontend of another, by NodePort and by address', async () => {
    const byAddress = named('a', { ...at('10.96.0.21'), externalIPs: ['192.0.2.1'], ports: [port(30_080)] })
    const byNodePort = named(
      'b',
      { ...at('10.96.0.22'), type: 'NodePort', ports: [port(80, { nodePort: 30_080 })] },
      PODS.slice(1),
    )
    await backend.sync(change([byAddress, byNodePort]))
    expect(new Set(backend.exceptions().map(({ name }) => name))).toEqual(new Set(['b']))
    expect(reach('192.0.2.1', 30_080)).toBe('reached')
  })
  it('does not hide that the whole change was refused', async () => {
    nft.failNext(new Error('nft: out of memory'), new Error('nft: out of memory'))
    await expect(backend.sync(change([good]))).rejects.toThrow('out of memory')
  })
})
