import { describe, expect, it } from 'vitest'
import {
  ApiError,
  type ConfigMap,
  configMapKind,
  isAlreadyExists,
  isConflict,
  isExpired,
  isNotFound,
  type Kind,
  nodeKind,
  podKind,
  serviceKind,
} from '../api/index.ts'
import type { Client, WatchEvent } from './client.ts'

export interface ClientHarness {
  readonly client: Client
  close(): Promise<void>
}

/** What every `Client` does, against a server that has the namespace `default`. */
export const clientConformance = (name: string, open: () => Promise<ClientHarness>): void => {
  const using = async (run: (client: Client, own: string) => Promise<void>): Promise<void> => {
    const harness = await open()
    try {
      // Names of its own for each test: the server may be shared.
      await run(harness.client, `t${Math.random().toString(36).slice(2, 10)}`)
    } finally {
      await harness.close()
    }
  }
  const configMap = (own: string, suffix = '', data: Readonly<Record<string, string>> = {}) => ({
    metadata: { name: `${own}${suffix}`, namespace: 'default', labels: { test: own } },
    data,
  })
  const ref = (own: string) => ({ namespace: 'default', name: own })

  describe(`client conformance: ${name}`, () => {
    it('creates, and gives back what the server made of it', () =>
      using(async (client, own) => {
        const made = await client.create(configMapKind, configMap(own, '', { a: '1' }))
        expect(made).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap', data: { a: '1' } })
        expect(made.metadata.uid).toMatch(/^[0-9a-f-]{36}$/)
        expect(made.metadata.resourceVersion).toMatch(/^\d+$/)
        expect(await client.get(configMapKind, ref(own))).toEqual(made)
      }))

    it('makes a name from generateName', () =>
      using(async (client, own) => {
        const { metadata } = await client.create(configMapKind, {
          metadata: { name: '', generateName: `${own}-`, namespace: 'default' },
        })
        expect(metadata.name).toMatch(new RegExp(`^${own}-.{5}$`))
      }))

    it('tells failures apart by their reason', () =>
      using(async (client, own) => {
        await client.create(configMapKind, configMap(own))
        const failure = (promise: Promise<unknown>): Promise<unknown> =>
          promise.then(
            () => undefined,
            (error: unknown) => error,
          )
        expect(isAlreadyExists(await failure(client.create(configMapKind, configMap(own))))).toBe(true)
        const missing = await failure(client.get(configMapKind, ref(`${own}-nosuch`)))
        expect(isNotFound(missing)).toBe(true)
        expect(missing).toBeInstanceOf(ApiError)
        expect((missing as ApiError).message).toBe(`configmaps "${own}-nosuch" not found`)
        const unknown: Kind<ConfigMap> = { ...configMapKind, plural: 'nosuches' }
        expect((await failure(client.list(unknown, { namespace: 'default' }))) as ApiError).toMatchObject({ code: 404 })
      }))

    it('refuses an empty name instead of meaning all', () =>
      using(async (client) => {
        await expect(client.delete(configMapKind, { namespace: 'default', name: '' })).rejects.toThrow('name may not be empty')
      }))

    it('updates the version that it read, and no other', () =>
      using(async (client, own) => {
        const made = await client.create(configMapKind, configMap(own, '', { a: '1' }))
        const next = await client.update(configMapKind, { ...made, data: { a: '2' } })
        expect(next.data).toEqual({ a: '2' })
        const stale = client.update(configMapKind, { ...made, data: { a: '3' } })
        await expect(stale.catch((error: unknown) => isConflict(error))).resolves.toBe(true)
      }))

    it('patches by merge and by operations', () =>
      using(async (client, own) => {
        await client.create(configMapKind, configMap(own, '', { a: '1', b: '2' }))
        const merged = await client.patch(configMapKind, ref(own), { type: 'merge', value: { data: { a: null, c: '3' } } })
        expect(merged.data).toEqual({ b: '2', c: '3' })
        const operations = [{ op: 'replace', path: '/data/b', value: '9' }]
        expect((await client.patch(configMapKind, ref(own), { type: 'json', operations })).data).toEqual({ b: '9', c: '3' })
      }))

    it('writes status apart from the rest', () =>
      using(async (client, own) => {
        const spec = { ports: [{ port: 80, protocol: 'TCP' as const }] }
        const made = await client.create(serviceKind, { metadata: { name: own, namespace: 'default' }, spec })
        const status = { loadBalancer: { ingress: [{ ip: '192.0.2.7', ipMode: 'VIP' as const }] } }
        const lb = await client.update(serviceKind, { ...made, spec: { ...made.spec, type: 'LoadBalancer' } })
        const written = await client.update(
          serviceKind,
          { ...lb, spec: { ...lb.spec, type: 'ClusterIP' }, status },
          { subresource: 'status' },
        )
        expect(written.spec.type).toBe('LoadBalancer')
        expect(written.status?.loadBalancer?.ingress?.[0]?.ip).toBe('192.0.2.7')
        await client.delete(serviceKind, ref(own))
      }))

    it('writes nothing on a dry run', () =>
      using(async (client, own) => {
        await client.create(configMapKind, configMap(own), { dryRun: true })
        await expect(client.get(configMapKind, ref(own)).catch(isNotFound)).resolves.toBe(true)
        await client.create(configMapKind, configMap(own))
        await client.delete(configMapKind, ref(own), { dryRun: true })
        expect((await client.get(configMapKind, ref(own))).metadata.name).toBe(own)
      }))

    it('deletes, at once or once its finalizers are gone', () =>
      using(async (client, own) => {
        const made = await client.create(configMapKind, configMap(own))
        const wrong = client.delete(configMapKind, ref(own), { preconditions: { uid: '00000000-0000-0000-0000-000000000000' } })
        await expect(wrong.catch((error: unknown) => isConflict(error))).resolves.toBe(true)
        expect(await client.delete(configMapKind, ref(own), { preconditions: { uid: made.metadata.uid ?? '' } })).toBeUndefined()
        await client.create(configMapKind, {
          ...configMap(own),
          metadata: { ...configMap(own).metadata, finalizers: ['example.com/hold'] },
        })
        const held = await client.delete(configMapKind, ref(own))
        expect(held?.metadata.deletionTimestamp).toMatch(/Z$/)
        await client.patch(configMapKind, ref(own), { type: 'merge', value: { metadata: { finalizers: null } } })
        await expect(client.get(configMapKind, ref(own)).catch(isNotFound)).resolves.toBe(true)
      }))

    it('lists page by page, by label and by field', () =>
      using(async (client, own) => {
        for (const suffix of ['-a', '-b', '-c']) await client.create(configMapKind, configMap(own, suffix))
        const selection = { namespace: 'default', labelSelector: `test=${own}` }
        const first = await client.list(configMapKind, { ...selection, limit: 2 })
        expect(first.items.map(({ metadata, kind, apiVersion }) => [metadata.name, kind, apiVersion])).toEqual([
          [`${own}-a`, 'ConfigMap', 'v1'],
          [`${own}-b`, 'ConfigMap', 'v1'],
        ])
        const second = await client.list(configMapKind, { ...selection, limit: 2, continue: first.continue ?? '' })
        expect(second.items.map(({ metadata }) => metadata.name)).toEqual([`${own}-c`])
        expect(second.continue).toBeUndefined()
        const byField = await client.list(configMapKind, { namespace: 'default', fieldSelector: `metadata.name=${own}-b` })
        expect(byField.items).toHaveLength(1)
        expect((await client.list(configMapKind, { labelSelector: `test in (${own})` })).items).toHaveLength(3)
      }))

    it('watches from a revision on, in order, and ends when it is told to', () =>
      using(async (client, own) => {
        const { resourceVersion } = await client.list(configMapKind, { namespace: 'default' })
        const made = await client.create(configMapKind, configMap(own, '', { v: '1' }))
        await client.update(configMapKind, { ...made, data: { v: '2' } })
        await client.delete(configMapKind, ref(own))
        const seen: string[] = []
        const stop = new AbortController()
        const selection = { namespace: 'default', labelSelector: `test=${own}` }
        for await (const event of client.watch(configMapKind, { ...selection, resourceVersion, signal: stop.signal })) {
          if (event.type === 'BOOKMARK') continue
          seen.push(`${event.type} ${event.object.data?.['v']}`)
          if (event.type === 'DELETED') stop.abort()
        }
        expect(seen).toEqual(['ADDED 1', 'MODIFIED 2', 'DELETED 2'])
      }))

    it('streams the present state, closed by a bookmark', () =>
      using(async (client, own) => {
        await client.create(configMapKind, configMap(own, '-a'))
        await client.create(configMapKind, configMap(own, '-b'))
        const seen: string[] = []
        const stop = new AbortController()
        const options = { namespace: 'default', labelSelector: `test=${own}`, sendInitialEvents: true, signal: stop.signal }
        for await (const event of client.watch(configMapKind, options)) {
          seen.push(event.type === 'BOOKMARK' ? `end ${event.initialEventsEnd}` : `${event.type} ${event.object.metadata.name}`)
          if (event.type === 'BOOKMARK') stop.abort()
        }
        expect(seen).toEqual([`ADDED ${own}-a`, `ADDED ${own}-b`, 'end true'])
      }))

    it('sees what happens while it waits', () =>
      using(async (client, own) => {
        const { resourceVersion } = await client.list(configMapKind, { namespace: 'default' })
        const stop = new AbortController()
        const selection = { namespace: 'default', labelSelector: `test=${own}` }
        const events = client.watch(configMapKind, { ...selection, resourceVersion, signal: stop.signal })[Symbol.asyncIterator]()
        const next = events.next()
        await client.create(configMapKind, configMap(own))
        const event: WatchEvent<ConfigMap> | undefined = (await next).value
        expect(event).toMatchObject({ type: 'ADDED', object: { metadata: { name: own } } })
        stop.abort()
        await expect(events.next()).resolves.toMatchObject({ done: true })
      }))

    it('does not begin a watch that was stopped before', () =>
      using(async (client) => {
        const stop = new AbortController()
        stop.abort()
        const events = client.watch(configMapKind, { signal: stop.signal })[Symbol.asyncIterator]()
        await expect(events.next()).resolves.toMatchObject({ done: true })
      }))

    it('binds a pod to a node, once', () =>
      using(async (client, own) => {
        const spec = { containers: [{ name: 'main', image: 'echo' }] }
        const pod = await client.create(podKind, { metadata: { name: own, namespace: 'default' }, spec })
        const body = {
          apiVersion: 'v1',
          kind: 'Binding',
          metadata: ref(own),
          target: { apiVersion: 'v1', kind: 'Node', name: 'one' },
        }
        await client.createSubresource(podKind, pod.metadata, { subresource: 'binding', body })
        expect((await client.get(podKind, ref(own))).spec.nodeName).toBe('one')
        const twice = client.createSubresource(podKind, pod.metadata, { subresource: 'binding', body })
        await expect(twice.catch((error: unknown) => isConflict(error))).resolves.toBe(true)
        await client.delete(podKind, ref(own), { gracePeriodSeconds: 0 })
      }))

    it('serves kinds that have no namespace', () =>
      using(async (client, own) => {
        await client.create(nodeKind, { metadata: { name: own } } as never)
        expect((await client.get(nodeKind, { name: own })).metadata.namespace).toBeUndefined()
        await client.delete(nodeKind, { name: own })
      }))

    it('passes names on that a URL must escape', () =>
      using(async (client) => {
        for (const hostile of ['..', 'a/b', 'a?b', 'a%2Fb', '__proto__']) {
          const error = await client.get(configMapKind, { namespace: 'default', name: hostile }).then(
            () => undefined,
            (reason: unknown) => reason,
          )
          expect(error, hostile).toBeInstanceOf(ApiError)
          expect(isExpired(error)).toBe(false)
          expect([400, 404], hostile).toContain((error as ApiError).code)
        }
      }))
  })
}
