import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Exec } from '../../src/host/index.ts'
import { createNft } from '../../src/kernel/nft/index.ts'
import { serviceForwarding } from '../../src/model/index.ts'
import { endpoint, port, service, slice, vips } from '../../src/model/testing/index.ts'
import { type AddressPlan, backendConformance } from '../../src/proxy/backend.conformance.ts'
import { createNftablesBackend } from '../../src/proxy/index.ts'
import { canOpenLab, type Lab, openLab, POD_PORT } from './lab.ts'
import { SERVICE_CIDRS, stickyWeb, toWeb } from './services.ts'

let lab: Lab
const plan = (): AddressPlan => lab.plan('IPv4')
const onNode: Exec = (argv, options) => lab.node.exec(argv, options)

const newBackend = () => createNftablesBackend({ nft: createNft(onNode), tableName: 'fairway-test', serviceCIDRs: SERVICE_CIDRS })
/** A new backend with the kinds of commands that it gives. */
const watched = () => {
  const kinds: string[] = []
  const nft = createNft(onNode)
  const commit: typeof nft.commit = (transaction) => {
    kinds.push(...transaction.commands.map(({ kind }) => kind))
    return nft.commit(transaction)
  }
  const backend = createNftablesBackend({ nft: { ...nft, commit }, tableName: 'fairway-test', serviceCIDRs: SERVICE_CIDRS })
  return { backend, kinds }
}
const nftText = async (...args: readonly string[]): Promise<string> => (await onNode(['nft', ...args])).stdout
const web = (...pods: readonly string[]) => stickyWeb(plan().node, pods)
const full = (...set: readonly ReturnType<typeof web>[]) => ({ full: true, set, delete: [], node: plan().node })

// Without root there are no namespaces to make; the fake evaluates the same suite in src/proxy/backends/nftables.
describe.skipIf(!canOpenLab)('nftables proxy between network namespaces', () => {
  beforeAll(async () => {
    lab = await openLab('fn')
  })
  afterAll(() => lab?.close())

  for (const family of ['IPv4', 'IPv6'] as const) {
    backendConformance(`nftables in namespaces, ${family}`, async () => ({
      backend: newBackend(),
      plan: lab.plan(family),
      send: (packet) => lab.send(packet),
      close: async () => {},
    }))
  }

  it('keeps remembered clients and writes nothing again when another process adopts its tables', async () => {
    await newBackend().sync(full(web(...plan().pods)))
    const first = await lab.send(toWeb)
    expect(first.kind).toBe('reached')
    const { backend, kinds } = watched()
    await backend.sync(full(web(...plan().pods)))
    expect(kinds).not.toContain('add elements')
    expect(kinds).not.toContain('delete elements')
    expect(kinds).not.toContain('delete table')
    for (let round = 0; round < 4; round++) expect(await lab.send(toWeb)).toEqual(first)
  })

  it.each(['IPv4', 'IPv6'] as const)('adopts every kind of %s element as it wrote it', async (family) => {
    const of = (net: string, last: number) => (family === 'IPv4' ? `203.0.${net}.${last}` : `fd00:${net}::${last}`)
    const node = {
      ...plan().node,
      podCIDRs: [family === 'IPv4' ? '203.0.1.0/24' : 'fd00:1::/64'],
      nodePortAddresses: [of('2', 1)],
    }
    const object = service(
      'all',
      {
        type: 'LoadBalancer',
        clusterIP: of('3', 1),
        clusterIPs: [of('3', 1)],
        externalIPs: [of('4', 1)],
        externalTrafficPolicy: 'Local',
        internalTrafficPolicy: 'Local',
        sessionAffinity: 'ClientIP',
        loadBalancerSourceRanges: family === 'IPv4' ? ['203.0.5.0/24', '203.0.6.1/32'] : ['fd00:5::/64', 'fd00:6::1/128'],
        ports: (['TCP', 'UDP', 'SCTP'] as const).map((protocol, at) =>
          port(80, { name: `p${at}`, protocol, nodePort: 30_000 + at }),
        ),
      },
      { status: vips(of('7', 1), of('7', 2)) },
    )
    const ports = (['TCP', 'UDP', 'SCTP'] as const).map((protocol, at) => ({ port: 8080, protocol, name: `p${at}` }))
    const pods = [endpoint(of('1', 1), { nodeName: 'n1' }), endpoint(of('1', 2), { nodeName: 'n2' })]
    const meaning = serviceForwarding(
      { service: object, slices: [slice('all', pods, { addressType: family, ports })], node },
      family,
    )
    if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
    const change = { full: true, set: [meaning.forwarding], delete: [], node }
    await newBackend().sync(change)
    const { backend, kinds } = watched()
    await backend.sync(change)
    expect(kinds).not.toContain('add elements')
    expect(kinds).not.toContain('delete elements')
    expect(kinds).not.toContain('delete table')
  })

  it('puts everything back when someone flushed the ruleset', async () => {
    const backend = newBackend()
    await backend.sync(full(web(...plan().pods)))
    await onNode(['nft', 'flush', 'ruleset'])
    const change = { full: false, set: [web(plan().pods[0] ?? '')], delete: [], node: plan().node }
    await expect(backend.sync(change)).rejects.toThrow('No such file or directory')
    await backend.sync(change)
    expect(await lab.send(toWeb)).toMatchObject({ kind: 'reached', endpoint: `${plan().pods[0]}:${POD_PORT}` })
  })

  it('replaces a table of another shape, and leaves tables of others alone', async () => {
    await onNode(['nft', 'delete', 'table', 'ip', 'fairway-test'])
    await onNode(['nft', 'add', 'table', 'ip', 'someone-else'])
    await onNode(['nft', 'add', 'table', 'ip', 'fairway-test'])
    await onNode(['nft', 'add', 'set', 'ip', 'fairway-test', 'pods', '{ type mark ; }'])
    await newBackend().sync(full(web(...plan().pods)))
    expect((await lab.send(toWeb)).kind).toBe('reached')
    expect(await nftText('list', 'tables')).toContain('table ip someone-else')
  })

  it('leaves nothing behind after cleanup, and cleans where nothing is', async () => {
    await newBackend().sync(full(web(...plan().pods)))
    await newBackend().cleanup()
    await newBackend().cleanup()
    expect(await nftText('list', 'tables')).not.toContain('fairway-test')
  })
})
