import { type Exec, realExec } from '../../src/host/index.ts'
import { createIptables, type Flavour } from '../../src/kernel/iptables/index.ts'
import { type Forwarding, type NodeView, serviceForwarding } from '../../src/model/index.ts'
import { endpoint, port, service, slice } from '../../src/model/testing/index.ts'
import { createIptablesBackend } from '../../src/proxy/backends/iptables/index.ts'
import { median } from '../median.ts'
import type { Result } from '../result.ts'

const SIZES = [1_000, 5_000]
const FLAVOURS: readonly Flavour[] = ['nft', 'legacy']
const ENDPOINTS = 5
const ROUNDS = 15
const NAMESPACE = `fairway-bench-${process.pid}`
const LOCK = `/run/${NAMESPACE}.lock`
const NODE: NodeView = {
  name: 'n1',
  addresses: ['192.0.2.1'],
  podCIDRs: ['10.128.0.0/16'],
  nodePortAddresses: ['192.0.2.1'],
}

/** Changes of the iptables mode, and the same written as kube-proxy does. */
export const run = async (): Promise<readonly Result[]> => {
  const results: Result[] = []
  for (const size of SIZES) {
    for (const flavour of FLAVOURS) {
      await realExec(['ip', 'netns', 'add', NAMESPACE])
      try {
        results.push(...(await measure(size, flavour)))
      } finally {
        await realExec(['ip', 'netns', 'del', NAMESPACE])
        await realExec(['rm', '-f', LOCK])
      }
    }
  }
  return results
}

/** The input of each restore since the last look. */
let inputs: string[] = []

const exec: Exec = (argv, options) => {
  if (argv[0].endsWith('-restore')) inputs.push(String(options?.stdin))
  return inNamespace(argv, options)
}
const inNamespace: Exec = (argv, options) =>
  realExec(['ip', 'netns', 'exec', NAMESPACE, ...argv], { ...options, env: { XTABLES_LOCKFILE: LOCK } })

const measure = async (size: number, flavour: Flavour): Promise<readonly Result[]> => {
  const iptables = createIptables(exec)
  const newBackend = () => createIptablesBackend({ iptables, flavour, serviceCIDRs: ['10.96.0.0/12'] })
  const set = Array.from({ length: size }, (_, index) => forwardingAt(index))
  const backend = newBackend()
  // Opens, so that the probe is not part of the load.
  await backend.sync({ full: true, set: [], delete: [], node: NODE })
  inputs = []
  const load = await timed(() => backend.sync({ full: true, set, delete: [], node: NODE }))
  const text = inputs.join('')
  const samples = { add: [] as number[], endpoint: [] as number[], remove: [] as number[], rewrite: [] as number[] }
  const list = await servicesList(flavour)
  for (let round = 0; round < ROUNDS; round++) {
    const added = forwardingAt(size + round)
    samples.add.push(await timed(() => backend.sync({ full: false, set: [added], delete: [], node: NODE })))
    samples.remove.push(await timed(() => backend.sync({ full: false, set: [], delete: [added.key], node: NODE })))
    inputs = []
    const changed = forwardingAt((round * 7_919) % size, round + 1)
    samples.endpoint.push(await timed(() => backend.sync({ full: false, set: [changed], delete: [], node: NODE })))
    samples.rewrite.push(await timed(() => restore(flavour, withList(inputs.join(''), list))))
  }
  const restart = await timed(async () => {
    const audit = newBackend()
    await audit.sync({ full: true, set, delete: [], node: NODE })
  })
  const canary = await timed(async () => {
    for (const table of ['filter', 'nat', 'mangle'] as const) {
      await iptables.hasRules({ flavour, family: 'IPv4' }, table, 'KUBE-PROXY-CANARY')
    }
  })
  const name = `${flavour}, ${size.toLocaleString('en-US')} Services × ${ENDPOINTS} endpoints`
  const ms = (what: string, value: number): Result => ({ name: `${name}: ${what}`, value, unit: 'ms' })
  return [
    ms('full load', load),
    ...(await inOneInput(flavour, size, { name, load, text })),
    ms('one Service added, p50', median(samples.add)),
    ms('one Service removed, p50', median(samples.remove)),
    ms('one endpoint changed, p50', median(samples.endpoint)),
    ms('one endpoint changed with KUBE-SERVICES written again, p50', median(samples.rewrite)),
    {
      name: `${name}: ratio of one endpoint to the same with KUBE-SERVICES written again`,
      value: median(samples.endpoint) / median(samples.rewrite),
      unit: '×',
    },
    ms('adopted by another process', restart),
    ms('a look at the canaries', canary),
  ]
}

/** Where it does not take minutes. */
const inOneInput = async (
  flavour: Flavour,
  size: number,
  { name, load, text }: { readonly name: string; readonly load: number; readonly text: string },
): Promise<readonly Result[]> => {
  if (flavour === 'nft' && size > 1_000) return []
  await inNamespace(['sh', '-c', `iptables-${flavour} -w -t nat -F; iptables-${flavour} -w -t nat -X`])
  const once = await timed(() => restore(flavour, asOneInput(text)))
  return [
    { name: `${name}: the same rules in one input`, value: once, unit: 'ms' },
    { name: `${name}: ratio of full load to one input`, value: load / once, unit: '×' },
  ]
}

const timed = async (run: () => Promise<unknown>): Promise<number> => {
  const from = performance.now()
  await run()
  return performance.now() - from
}

const restore = (flavour: Flavour, stdin: string) =>
  inNamespace([`iptables-${flavour}-restore`, '--noflush', '--wait'], { stdin, timeoutMs: 300_000 })

const servicesList = async (flavour: Flavour): Promise<readonly string[]> => {
  const { stdout } = await inNamespace([`iptables-${flavour}-save`, '-t', 'nat'], { maxOutputBytes: 2 ** 30 })
  return stdout.split('\n').filter((line) => line.startsWith('-A KUBE-SERVICES '))
}

/** As kube-proxy writes a partial sync: the chains that changed, and the long list whole. */
const withList = (input: string, list: readonly string[]): string =>
  input.replace('*nat\n', '*nat\n:KUBE-SERVICES - [0:0]\n').replace(/^(?=-X |COMMIT)/m, `${list.join('\n')}\n`)

/** All chains and then all rules of the nat table at once, as kube-proxy writes them. */
const asOneInput = (text: string): string => {
  const lines = text
    .split('*filter')[0]
    ?.split('\n')
    .filter((line) => /^(:|-A)/.test(line))
  const chains = (lines ?? []).filter((line) => line.startsWith(':'))
  const rules = (lines ?? []).filter((line) => line.startsWith('-A'))
  return ['*nat', ':KUBE-MARK-MASQ - [0:0]', ...chains, ...rules, 'COMMIT', ''].join('\n')
}

const clusterIP = (index: number): string => `10.${96 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`

/** Every generation has another fifth endpoint. */
const forwardingAt = (index: number, generation = 0): Forwarding => {
  const address = clusterIP(index + 256)
  const object = service(`s${index}`, { clusterIP: address, clusterIPs: [address], ports: [port(80)] })
  const endpoints = Array.from({ length: ENDPOINTS }, (_, each) => {
    const host = index * ENDPOINTS + each + (each === ENDPOINTS - 1 ? generation * 100_000 : 0)
    return endpoint(`10.${128 + ((host >> 16) & 63)}.${(host >> 8) & 255}.${host & 255}`, { nodeName: 'n2' })
  })
  const meaning = serviceForwarding({ service: object, slices: [slice(`s${index}`, endpoints)], node: NODE }, 'IPv4')
  if (meaning.kind !== 'forwarding') throw new Error(meaning.reason)
  return meaning.forwarding
}
