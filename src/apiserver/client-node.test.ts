import { CoreV1Api, KubeConfig, makeInformer, NetworkingV1Api, type V1ConfigMap } from '@kubernetes/client-node'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type HttpsServer, startHttpsServer } from './testing/https-server.ts'

describe('@kubernetes/client-node', () => {
  let api: HttpsServer
  const config = new KubeConfig()
  beforeAll(async () => {
    api = await startHttpsServer()
    config.loadFromFile(api.kubeconfig)
  })
  afterAll(() => api.stop())

  test('typed reads and writes', async () => {
    const core = config.makeApiClient(CoreV1Api)
    const service = await core.createNamespacedService({
      namespace: 'default',
      body: { metadata: { name: 'web' }, spec: { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http' }] } },
    })
    expect(service.spec?.clusterIP).toMatch(/^10\.96\./)
    expect(service.metadata?.creationTimestamp).toBeInstanceOf(Date)
    const list = await core.listServiceForAllNamespaces({ labelSelector: 'component=apiserver' })
    expect(list.items.map((item) => item.metadata?.name)).toEqual(['kubernetes'])
    await expect(core.readNamespacedService({ namespace: 'default', name: 'missing' })).rejects.toMatchObject({ code: 404 })
    await core.deleteNamespacedService({ namespace: 'default', name: 'web' })
    const networking = config.makeApiClient(NetworkingV1Api)
    expect((await networking.listServiceCIDR()).items[0]?.spec?.cidrs).toEqual(['10.96.0.0/16'])
  })

  test('an informer sees what happens', async () => {
    const core = config.makeApiClient(CoreV1Api)
    const path = '/api/v1/namespaces/default/configmaps'
    const informer = makeInformer<V1ConfigMap>(config, path, () => core.listNamespacedConfigMap({ namespace: 'default' }))
    const seen = (verb: 'add' | 'update' | 'delete') =>
      new Promise<string | undefined>((resolve) => informer.on(verb, (object) => resolve(object.metadata?.name)))
    const events = [seen('add'), seen('update'), seen('delete')]
    await informer.start()
    await core.createNamespacedConfigMap({ namespace: 'default', body: { metadata: { name: 'seen' } } })
    await core.replaceNamespacedConfigMap({
      namespace: 'default',
      name: 'seen',
      body: { metadata: { name: 'seen' }, data: { a: 'b' } },
    })
    await core.deleteNamespacedConfigMap({ namespace: 'default', name: 'seen' })
    expect(await Promise.all(events)).toEqual(['seen', 'seen', 'seen'])
    await informer.stop()
  })
})
