import { readFile } from 'node:fs/promises'
import { Command } from 'commander'
import { beforeAll, describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { eventKind, type Kind } from '../../api/index.ts'
import { realClock, silentLogger } from '../../base/index.ts'
import type { Client } from '../../client/index.ts'
import { readConfiguration, resolveSettings } from '../../proxy/index.ts'
import { withProxyFlags } from './flags.ts'
import { proxyInformers } from './informers.ts'

/** As far as the test reads it. */
interface Manifest {
  readonly kind: string
  readonly data: Readonly<Record<string, string>>
  readonly rules: readonly {
    readonly apiGroups: readonly string[]
    readonly resources: readonly string[]
    readonly verbs: readonly string[]
  }[]
  readonly spec: {
    readonly template: { readonly spec: { readonly containers: readonly { readonly args: readonly string[] }[] } }
  }
}

describe('deploy/fairway-proxy.yaml', () => {
  let manifests: readonly Manifest[]
  beforeAll(async () => {
    const text = await readFile(new URL('../../../deploy/fairway-proxy.yaml', import.meta.url), 'utf8')
    // The file is our own, and what is not there fails the test.
    manifests = parseAllDocuments(text).map((document) => document.toJS() as Manifest)
  })
  const ofKind = (kind: string): Manifest => {
    const found = manifests.find((each) => each.kind === kind)
    if (found === undefined) throw new Error(`no ${kind}`)
    return found
  }

  it('holds a configuration that is read without a warning', () => {
    const { values, problems, warnings } = readConfiguration(ofKind('ConfigMap').data['config.conf'] ?? '', 'config.conf')
    expect({ problems, warnings }).toEqual({ problems: [], warnings: [] })
    expect(resolveSettings([values], 'n1').settings).toMatchObject({
      mode: 'auto',
      kubeconfig: '/etc/fairway-proxy/kubeconfig.conf',
      healthz: { address: '0.0.0.0', port: 10_256 },
      metrics: { address: '127.0.0.1', port: 10_249 },
    })
  })

  it('calls the program with flags that it has', () => {
    const [, ...args] = ofKind('DaemonSet').spec.template.spec.containers[0]?.args ?? []
    const command = withProxyFlags(new Command('proxy')).exitOverride().parse(args, { from: 'user' })
    expect(command.opts()).toEqual({ config: '/etc/fairway-proxy/config.conf', hostnameOverride: '$(NODE_NAME)' })
  })

  it('grants exactly the rights that the proxy uses', async () => {
    const asked = new Set<string>()
    const ask = (verb: string, { group, plural }: Kind): void => void asked.add(`${verb} ${plural}.${group}`)
    // Only what informers call is there.
    const client = {
      list: async (kind: Kind) => {
        ask('list', kind)
        return { items: [], resourceVersion: '1' }
      },
      watch: async function* (kind: Kind, { sendInitialEvents, signal }: { sendInitialEvents?: boolean; signal: AbortSignal }) {
        ask('watch', kind)
        if (!sendInitialEvents) await new Promise((resolve) => signal.addEventListener('abort', resolve))
        // An old server ends the stream, and the informer lists instead.
        yield* []
      },
    } as unknown as Client
    const informers = proxyInformers({ client, nodeName: 'n1', withServiceCIDRs: true, clock: realClock, log: silentLogger })
    const stop = new AbortController()
    const running = await Promise.all(Object.values(informers).map((informer) => informer.start(stop.signal)))
    await Promise.all(Object.values(informers).map((informer) => informer.waitForSync(stop.signal)))
    stop.abort()
    await Promise.all(running.map(({ stopped }) => stopped))
    for (const verb of ['create', 'patch']) ask(verb, eventKind)
    const granted = ofKind('ClusterRole').rules.flatMap(({ apiGroups, resources, verbs }) =>
      apiGroups.flatMap((group) => resources.flatMap((resource) => verbs.map((verb) => `${verb} ${resource}.${group}`))),
    )
    expect(granted.sort()).toEqual([...asked].sort())
  })
})
