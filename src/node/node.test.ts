import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { nodeKind, podKind } from '../api/index.ts'
import { pod } from '../api/testing/index.ts'
import { realHost } from '../host/index.ts'
import { NODE, type NodeLab, startNodeLab } from './testing/node-lab.ts'

const { networkNamespaces } = await realHost().capabilities()
const kinds = ['loopback', 'netns'] as const

describe.each(kinds)('a node on the %s network', (kind) => {
  describe.skipIf(kind === 'netns' && !networkNamespaces.usable)('(netns needs root)', () => {
    let lab: NodeLab
    beforeAll(async () => {
      lab = await startNodeLab({ kind })
    })
    afterAll(() => lab.close())

    const get = async (url: string): Promise<{ status: number; body: Record<string, unknown> }> => {
      const response = await fetch(url)
      return { status: response.status, body: (await response.json()) as Record<string, unknown> }
    }

    it('registers itself as ready, with a Lease', async () => {
      const node = await lab.api.client.get(nodeKind, { name: NODE })
      expect(node.status?.conditions?.find(({ type }) => type === 'Ready')?.status).toBe('True')
      expect(node.status?.addresses).toContainEqual({ type: 'InternalIP', address: lab.network.nodeAddress })
      expect(node.spec.podCIDR).toBe(lab.network.podCIDR)
    })

    it('runs a pod, reaches it at its address, shows its log, and deletes it', async () => {
      const ports = [{ name: 'http', containerPort: 8080, protocol: 'TCP' as const }]
      const readinessProbe = { httpGet: { path: '/readyz', port: 'http' }, periodSeconds: 1 }
      await lab.create(pod('echo').node(NODE).container({ ports, readinessProbe }).build())
      const ready = await lab.whenReady('echo')
      expect(ready.status).toMatchObject({ phase: 'Running', hostIP: lab.network.nodeAddress })
      const { body } = await get(`http://${ready.status?.podIP}:8080/hello`)
      expect(body).toMatchObject({ pod: 'echo', namespace: 'default', node: NODE, podIP: ready.status?.podIP, path: '/hello' })
      await expect.poll(() => lab.readLog('echo')).toBe(`echo: http on ${ready.status?.podIP}:8080\n`)

      await get(`http://${ready.status?.podIP}:8080/fail?which=readyz`)
      await lab.when('echo', (changed) => changed.status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'False')
      await get(`http://${ready.status?.podIP}:8080/ok`)
      await lab.whenReady('echo')

      await lab.api.client.delete(podKind, { namespace: 'default', name: 'echo' })
      await lab.whenGone('echo')
      await expect(fetch(`http://${ready.status?.podIP}:8080/`)).rejects.toThrow()
      expect(lab.events('echo')).toEqual(
        expect.arrayContaining(['Started: Started container main', 'Killing: Stopping container main']),
      )
    })
  })
})
