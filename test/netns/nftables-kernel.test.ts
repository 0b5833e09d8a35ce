import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Exec } from '../../src/host/index.ts'
import { loadLibc } from '../../src/host/native/index.ts'
import type { IPFamily } from '../../src/ip/index.ts'
import { createNft, type Nft } from '../../src/kernel/nft/index.ts'
import { type Forwarding, type Packet, serviceForwarding } from '../../src/model/index.ts'
import { endpoint, port, service, slice, vips } from '../../src/model/testing/index.ts'
import { backendConformance } from '../../src/proxy/backend.conformance.ts'
import { type Backend, createNftablesBackend, type Drift } from '../../src/proxy/index.ts'
import { canOpenLab, type Lab, openLab, POD_PORT } from './lab.ts'
import { SERVICE_CIDRS } from './services.ts'

const TABLE = 'fairway-kernel'
const libc = await loadLibc()
let lab: Lab
const opened: Nft[] = []

const onNode: Exec = (argv, options) => lab.node.exec(argv, options)
const nft = (...args: readonly string[]) => onNode(['nft', ...args])
/** In process, in the node's namespace. */
const inProcess = (): Nft => {
  const each = createNft(onNode, { libc, namespace: lab.node.path })
  opened.push(each)
  return each
}
const backendOn = (each: Nft, onForeignChange?: () => void): Backend =>
  createNftablesBackend({
    nft: each,
    tableName: TABLE,
    serviceCIDRs: SERVICE_CIDRS,
    ...(onForeignChange === undefined ? {} : { onForeignChange }),
  })
/** Counts the elements that are written. */
const counted = (each: Nft): { readonly nft: Nft; readonly written: () => number } => {
  let count = 0
  const commit: Nft['commit'] = async (transaction) => {
    for (const command of transaction.commands) if ('elements' in command) count += command.elements.length
    await each.commit(transaction)
  }
  return { nft: { ...each, commit }, written: () => count }
}

type Spec = Parameters<typeof service>[1] & { readonly vip?: string }

const forwarding = (
  name: string,
  { vip, ...spec }: Spec,
  {
    pods = lab.plan('IPv4').pods,
    family = 'IPv4',
    nodeName = 'n1',
  }: Partial<{ pods: readonly string[]; family: IPFamily; nodeName: string }> = {},
): Forwarding => {
  const ports = (spec.ports ?? [port(80)]).map(({ protocol, name: portName = '' }) => ({
    port: POD_PORT,
    protocol,
    name: portName,
  }))
  const endpoints = pods.map((address) => endpoint(address, { nodeName }))
  const object = service(name, { ports: [port(80)], ...spec }, vip === undefined ? {} : { status: vips(vip) })
  const slices = [slice(name, endpoints, { addressType: family, ports })]
  const meaning = serviceForwarding({ service: object, slices, node: lab.node.view(family) }, family)
  if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
  return meaning.forwarding
}
const at = (clusterIP: string) => ({ clusterIP, clusterIPs: [clusterIP] })
const web = (...pods: readonly string[]) => forwarding('web', at('10.96.0.10'), pods.length === 0 ? {} : { pods })
const change = (set: readonly Forwarding[], full = false, gone: readonly string[] = []) => ({
  full,
  set,
  delete: gone,
  node: lab.node.view('IPv4'),
})
const to = (address: string, number = 80): Packet => ({
  source: { class: 'outside', address: '198.51.100.9' },
  destination: { address, port: number },
  protocol: 'TCP',
})
const reached = async (address: string, number?: number) => (await lab.send(to(address, number))).kind

// Without root there are no namespaces to make, without koffi nothing to call; the fake evaluates the same suite in src/proxy/backends/nftables.
describe.skipIf(!canOpenLab || 'missing' in libc)('nftables in process between network namespaces', () => {
  beforeAll(async () => {
    lab = await openLab('fk')
  })
  afterAll(() => lab?.close())
  afterEach(async () => {
    if (opened.length > 0) await backendOn(inProcess()).cleanup()
    for (const each of opened.splice(0)) await each.close()
  })

  for (const family of ['IPv4', 'IPv6'] as const) {
    backendConformance(`nftables in process, ${family}`, async () => ({
      backend: backendOn(inProcess()),
      plan: lab.plan(family),
      send: (packet) => lab.send(packet),
      close: async () => {},
    }))
  }

  it.each(['IPv4', 'IPv6'] as const)('writes what the tool writes and adopts it, every kind of %s element', async (family) => {
    const of = (net: string, last: number) => (family === 'IPv4' ? `203.0.${net}.${last}` : `fd00:${net}::${last}`)
    const ports = (['TCP', 'UDP', 'SCTP'] as const).map((protocol, each) =>
      port(80, { name: `p${each}`, protocol, nodePort: 30_000 + each }),
    )
    const all = forwarding(
      'all',
      {
        ...at(of('3', 1)),
        type: 'LoadBalancer',
        vip: of('7', 1),
        externalIPs: [of('4', 1)],
        externalTrafficPolicy: 'Local',
        internalTrafficPolicy: 'Local',
        sessionAffinity: 'ClientIP',
        loadBalancerSourceRanges: family === 'IPv4' ? ['203.0.5.0/24', '203.0.6.1/32'] : ['fd00:5::/64', 'fd00:6::1/128'],
        ports,
      },
      { family, pods: [of('1', 1), of('1', 2)] },
    )
    const full = { ...change([all], true), node: lab.node.view(family) }
    const text = async () => (await nft('--stateless', 'list', 'table', family === 'IPv4' ? 'ip' : 'ip6', TABLE)).stdout
    await backendOn(createNft(onNode)).sync(full)
    const byTool = await text()
    const adopting = counted(inProcess())
    await backendOn(adopting.nft).sync(full)
    expect(adopting.written()).toBe(0)
    await backendOn(inProcess()).cleanup()
    await backendOn(inProcess()).sync(full)
    const lines = (each: string) =>
      each
        .split(/[\n,]/)
        .map((line) => line.trim())
        .sort()
    expect(lines(await text())).toEqual(lines(byTool))
    const adoptingTool = counted(createNft(onNode))
    await backendOn(adoptingTool.nft).sync(full)
    expect(adoptingTool.written()).toBe(0)
  })

  const drifts: readonly (readonly [string, readonly string[], Drift['kind'], string])[] = [
    [
      'an element that is gone',
      ['delete element ip T services { 10.96.0.10 . tcp . 80 }'],
      'missing',
      'element 10.96.0.10 . tcp . 80 : 0:3 of map services',
    ],
    [
      'a source that nobody allowed',
      ['add element ip T restricted { 10.96.0.10 . tcp . 80 }'],
      'foreign',
      'element 10.96.0.10 . tcp . 80 of set restricted',
    ],
    ['an interval', ['add element ip T pods { 10.77.0.0/16 }'], 'foreign', 'element 10.77.0.0/16 of set pods'],
    ['a rule', ['insert rule ip T dispatch drop'], 'changed', 'rules of chain dispatch'],
    ['a chain', ['add chain ip T evil { type filter hook forward priority 0 ; policy drop ; }'], 'foreign', 'chain evil'],
    ['a policy', ['add chain ip T prerouting { policy drop ; }'], 'changed', 'hook of chain prerouting'],
    ['a dormant table', ['add table ip T { flags dormant ; }'], 'changed', 'flag dormant of'],
  ]
  it.each(drifts)('finds %s at an audit and puts it right', async (_, commands, kind, what) => {
    const backend = backendOn(inProcess())
    await backend.sync(change([web()], true))
    for (const command of commands) await nft(...command.replace(' T ', ` ${TABLE} `).split(' '))
    const found = await backend.audit()
    expect(found).toHaveLength(1)
    expect(found[0]).toMatchObject({ kind, what: expect.stringContaining(what) })
    expect(await reached('10.96.0.10')).toBe('reached')
    await nft('add', 'table', 'ip', 'someone-else')
    expect(await backend.audit()).toEqual([])
  })

  it('notices a flush by somebody else within a moment, and an audit restores all', async () => {
    let heard = (): void => {}
    const next = new Promise<void>((resolve) => {
      heard = resolve
    })
    const backend = backendOn(inProcess(), () => heard())
    const stop = new AbortController()
    const { stopped } = await backend.start(stop.signal, () => {})
    await backend.sync(change([web()], true))
    await nft('flush', 'ruleset')
    const flushedAt = performance.now()
    await next
    expect(performance.now() - flushedAt).toBeLessThan(5_000)
    expect(await backend.audit()).toContainEqual({ kind: 'missing', what: `table ip ${TABLE}` })
    expect(await reached('10.96.0.10')).toBe('reached')
    stop.abort()
    await stopped
  })

  it('drops what it reads for an audit when a change waits, which costs no more then, and finds all at the next', async () => {
    const counting = counted(inProcess())
    const backend = backendOn(counting.nft)
    const many = Array.from({ length: 4_000 }, (_, index) =>
      forwarding(`many-${index}`, at(`10.96.${10 + (index >> 8)}.${index & 255}`)),
    )
    await backend.sync(change([web(), ...many], true))
    await nft('delete', 'element', 'ip', TABLE, 'services', '{ 10.96.10.7 . tcp . 80 }')
    const cut = new AbortController()
    const audit = backend.audit(cut.signal)
    setImmediate(() => cut.abort(new Error('a change waits')))
    await expect(audit).rejects.toThrow('a change waits')
    const before = counting.written()
    await backend.sync(change([web(...lab.plan('IPv4').pods.slice(1))]))
    expect(counting.written() - before).toBeLessThan(10)
    expect(await reached('10.96.0.10')).toBe('reached')
    expect(await backend.audit()).toEqual([expect.objectContaining({ kind: 'missing', key: 'IPv4 default/many-7' })])
    expect(await backend.audit()).toEqual([])
  })

  it('goes on with the others where the kernel refuses one Service, and says which element', async () => {
    const backend = backendOn(inProcess())
    const first = forwarding('first', { ...at('10.96.0.21'), externalIPs: ['198.51.100.1'], ports: [port(30_090)] })
    const second = forwarding(
      'second',
      { ...at('10.96.0.22'), type: 'NodePort', ports: [port(80, { nodePort: 30_090 })] },
      { pods: lab.plan('IPv4').pods.slice(1) },
    )
    await backend.sync(change([first, second, web()], true))
    expect(new Set(backend.exceptions().map(({ name, state }) => `${name} ${state}`))).toEqual(new Set(['second failed']))
    expect(backend.exceptions()[0]).toMatchObject({
      code: 'EEXIST',
      message: expect.stringContaining('198.51.100.1 . tcp . 30090'),
    })
    expect(await reached('10.96.0.10')).toBe('reached')
    expect(await reached('198.51.100.1', 30_090)).toBe('reached')
    await backend.sync(change([], false, [first.key]))
    expect(await backend.audit()).toEqual([])
    expect(backend.exceptions()).toEqual([])
    expect(await reached('198.51.100.1', 30_090)).toBe('reached')
  })

  it('says who is in the way where another process holds the table for itself', async () => {
    const owner = spawn('ip', ['netns', 'exec', lab.node.name, 'nft', '--interactive'], { stdio: ['pipe', 'pipe', 'inherit'] })
    try {
      owner.stdin.write(`add table ip ${TABLE} { flags owner; }\nlist tables\n`)
      await once(owner.stdout, 'data')
      await expect(backendOn(inProcess()).sync(change([web()], true))).rejects.toThrow(
        `table ip ${TABLE} is held by another process (flags owner)`,
      )
    } finally {
      const exited = once(owner, 'exit')
      owner.kill()
      await exited
    }
    const backend = backendOn(inProcess())
    await backend.sync(change([web()], true))
    expect(await reached('10.96.0.10')).toBe('reached')
  })

  it('carries Services of 1,000 and 5,000 endpoints, and replaces one of them with a handful of elements', async () => {
    const pods = (count: number, from: number) =>
      Array.from({ length: count }, (_, index) => `10.5.${(from + index) >> 8}.${(from + index) & 255}`)
    const { nft: each, written } = counted(inProcess())
    const backend = backendOn(each)
    const large = (list: readonly string[]) =>
      forwarding(
        'large',
        { ...at('10.96.0.31'), type: 'NodePort', ports: [port(80, { nodePort: 30_091 })] },
        { pods: list, nodeName: 'n2' },
      )
    const some = pods(5_000, 0)
    await backend.sync(
      change([large(some), forwarding('thousand', at('10.96.0.32'), { pods: some.slice(0, 1_000) }), web()], true),
    )
    const before = written()
    expect(before).toBeGreaterThan(11_000)
    await backend.sync(change([large([...some.slice(0, 2_500), '10.6.0.1', ...some.slice(2_501)])]))
    expect(written() - before).toBe(4)
    await backend.sync(change([large(lab.plan('IPv4').pods)]))
    expect(await reached('10.96.0.31')).toBe('reached')
    expect(await backend.audit()).toEqual([])
  })

  it('takes an address that several slices and Services name', async () => {
    const backend = backendOn(inProcess())
    const { pods } = lab.plan('IPv4')
    const [pod = ''] = pods
    await backend.sync(change([web(pod, pod, pod), forwarding('twin', at('10.96.0.41'), { pods: [pod] })], true))
    expect(await reached('10.96.0.10')).toBe('reached')
    await backend.sync(change([], false, ['IPv4 default/twin']))
    // The pod still reaches itself: what both Services shared is still there.
    const itself: Packet = { ...to('10.96.0.10'), source: { class: 'pod', address: pod } }
    expect((await lab.send(itself)).kind).toBe('reached')
    await nft('add', 'table', 'ip', 'someone-else')
    expect(await backend.audit()).toEqual([])
  })

  it.each([
    ['with the pods of this node told apart', {}, { pod: 'own', outside: 'masqueraded' }],
    ['without any way to tell pods', { podCIDRs: [] }, { pod: 'own', outside: 'own' }],
    ['where everything is masqueraded', { masqueradeAll: true }, { pod: 'masqueraded', outside: 'masqueraded' }],
  ] as const)('masquerades what the model says, %s', async (_, rest, wanted) => {
    const backend = backendOn(inProcess())
    const node = { ...lab.node.view('IPv4'), ...rest }
    const meaning = serviceForwarding(
      {
        service: service('web', { ...at('10.96.0.10'), ports: [port(80)] }),
        slices: [slice('web', [endpoint(lab.plan('IPv4').pods[0] ?? '', { nodeName: 'n1' })])],
        node,
      },
      'IPv4',
    )
    if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
    await backend.sync({ full: true, set: [meaning.forwarding], delete: [], node })
    const seen = async (source: 'pod' | 'outside') => {
      const address = lab.plan('IPv4').sources[source]
      const outcome = await lab.send({ ...to('10.96.0.10'), source: { class: source, address } })
      return outcome.kind === 'reached' ? (outcome.source === address ? 'own' : 'masqueraded') : outcome.kind
    }
    expect({ pod: await seen('pod'), outside: await seen('outside') }).toEqual(wanted)
  })

  it('serves NodePorts at the addresses that the node has for them now, and refuses Service addresses of nobody', async () => {
    const backend = backendOn(inProcess())
    const view = lab.node.view('IPv4')
    const [first = '', second = ''] = view.addresses
    const set = [forwarding('web', { ...at('10.96.0.10'), type: 'NodePort', ports: [port(80, { nodePort: 30_080 })] })]
    await backend.sync({ full: true, set, delete: [], node: { ...view, nodePortAddresses: [first] } })
    expect([await reached(first, 30_080), await reached(second, 30_080)]).toEqual(['reached', 'refused'])
    await backend.sync({ full: false, set: [], delete: [], node: { ...view, nodePortAddresses: [second] } })
    expect([await reached(first, 30_080), await reached(second, 30_080)]).toEqual(['refused', 'reached'])
    expect(await reached('10.96.77.7')).toBe('refused')
  })

  it('lets no Service be without its endpoints while thousands are loaded, nor those that are there already', async () => {
    const backend = backendOn(inProcess())
    await backend.sync(change([web()], true))
    const many = Array.from({ length: 3_000 }, (_, index) =>
      forwarding(`s${index}`, at(`10.96.${1 + (index >> 8)}.${index & 255}`)),
    )
    let isDone = false
    const loading = backend.sync(change([web(), ...many], true)).finally(() => {
      isDone = true
    })
    const seen = new Set<string>()
    while (!isDone) seen.add(await reached('10.96.0.10'))
    await loading
    expect(seen).toEqual(new Set(['reached']))
    expect(await reached('10.96.12.183')).toBe('reached')
  })

  it('changes a thousand Services one after another and holds what a fresh load holds', async () => {
    const { nft: each, written } = counted(inProcess())
    const backend = backendOn(each)
    const { pods } = lab.plan('IPv4')
    const many = (count: (index: number) => number) =>
      Array.from({ length: 200 }, (_, index) =>
        forwarding(`s${index}`, at(`10.96.1.${index}`), { pods: pods.slice(0, count(index)) }),
      )
    await backend.sync(
      change(
        many(() => 3),
        true,
      ),
    )
    for (let round = 0; round < 5; round++)
      for (const one of many((index) => (index + round) % 4)) await backend.sync(change([one]))
    const before = written()
    const wanted = many((index) => (index + 4) % 4)
    await backend.sync(change(wanted, true))
    const adopter = counted(inProcess())
    await backendOn(adopter.nft).sync(change(wanted, true))
    expect([written() - before, adopter.written()]).toEqual([0, 0])
  })
})
