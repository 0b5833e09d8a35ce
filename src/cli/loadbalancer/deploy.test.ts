import { readFile } from 'node:fs/promises'
import { Command } from 'commander'
import { describe, expect, it } from 'vitest'
import { parse, parseAllDocuments } from 'yaml'
import { withLoadBalancerFlags } from './flags.ts'
import { PROVIDERS } from './providers.ts'
import { readSettings } from './settings.ts'

/** As far as the test reads it. */
interface Manifest {
  readonly kind: string
  readonly data?: Readonly<Record<string, string>>
  readonly spec?: {
    readonly template: {
      readonly spec: {
        readonly containers: readonly {
          readonly args: readonly string[]
          readonly ports: readonly { readonly containerPort: number }[]
        }[]
      }
    }
  }
}

describe('deploy/fairway-loadbalancer.yaml', () => {
  const read = async (kind: string): Promise<Manifest> => {
    const text = await readFile(new URL('../../../deploy/fairway-loadbalancer.yaml', import.meta.url), 'utf8')
    // The file is our own, and what is not there fails the test.
    const found = parseAllDocuments(text)
      .map((document) => document.toJS() as Manifest)
      .find((manifest) => manifest.kind === kind)
    if (found === undefined) throw new Error(`no ${kind}`)
    return found
  }

  it('calls the program with flags that it has, and values that it takes', async () => {
    const [container] = (await read('DaemonSet')).spec?.template.spec.containers ?? []
    const [command, ...args] = container?.args ?? []
    expect(command).toBe('loadbalancer')
    const given = withLoadBalancerFlags(new Command('loadbalancer')).exitOverride().parse(args, { from: 'user' }).opts()
    const result = readSettings(given, { POD_NAMESPACE: 'fairway-loadbalancer' })
    expect(result).toMatchObject({ kind: 'settings', settings: { health: { port: container?.ports[0]?.containerPort } } })
  })

  it('holds a configuration that is read without a problem', async () => {
    const file: unknown = parse((await read('ConfigMap')).data?.['config.yaml'] ?? '')
    const local = PROVIDERS.find(({ name }) => name === 'local')
    expect(local?.prepare(file, { NODE_NAME: 'n1' })).toMatchObject({ problems: [], warnings: [] })
  })
})
