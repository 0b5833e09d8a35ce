import { readFile } from 'node:fs/promises'
import { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { withIngressFlags } from './flags.ts'
import { readSettings } from './settings.ts'

interface Container {
  readonly args: readonly string[]
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[]
  readonly readinessProbe: { readonly httpGet: { readonly path: string; readonly port: string } }
}

/** As far as the test reads it. */
interface Manifest {
  readonly kind: string
  readonly spec: {
    readonly ports: readonly { readonly targetPort: string }[]
    readonly template: {
      readonly spec: { readonly terminationGracePeriodSeconds: number; readonly containers: readonly Container[] }
    }
  }
}

const read = async (file: string, kind: string): Promise<Manifest> => {
  const text = await readFile(new URL(`../../../deploy/${file}`, import.meta.url), 'utf8')
  const found = parseAllDocuments(text)
    // The file is our own, and what is not there fails the test.
    .map((document) => document.toJS() as Manifest)
    .find((manifest) => manifest.kind === kind)
  if (found === undefined) throw new Error(`no ${kind}`)
  return found
}

describe.each([
  ['fairway-ingress.yaml', 'Deployment'],
  ['fairway-ingress-daemonset.yaml', 'DaemonSet'],
])('deploy/%s', (file, kind) => {
  const settingsOf = async () => {
    const { template } = (await read(file, kind)).spec
    const [container] = template.spec.containers
    const [command, ...args] = container?.args ?? []
    expect(command).toBe('ingress')
    const given = withIngressFlags(new Command('ingress')).exitOverride().parse(args, { from: 'user' }).opts()
    return { ...readSettings(given, { POD_NAMESPACE: 'fairway-ingress', POD_IP: '10.0.0.1' }), template, container }
  }

  it('calls the program with flags that it has, and values that it takes', async () => {
    expect((await settingsOf()).problems).toEqual([])
  })

  it('names the ports at which it is served', async () => {
    const { settings, container } = await settingsOf()
    const port = (name: string): number | undefined => container?.ports.find((each) => each.name === name)?.containerPort
    expect([port('http'), port('https'), port('health')]).toEqual([
      settings.http?.port,
      settings.https?.port,
      settings.health?.port,
    ])
    expect(container?.readinessProbe.httpGet).toEqual({ path: '/readyz', port: 'health' })
  })

  it('leaves time for the delay, the drain and the status', async () => {
    const { settings, template } = await settingsOf()
    const needed = (settings.shutdownDelayMs + settings.drainTimeoutMs) / 1_000 + 10
    expect(template.spec.terminationGracePeriodSeconds).toBeGreaterThanOrEqual(needed)
  })
})

it('the Service of deploy/fairway-ingress.yaml leads to named ports of the pods', async () => {
  const { spec } = await read('fairway-ingress.yaml', 'Service')
  expect(spec.ports.map(({ targetPort }) => targetPort)).toEqual(['http', 'https'])
})
