import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { newDataDir } from '../support/instance.ts'
import { deployment, echoPod, service, socketVariant, startWorld, variants, type World } from '../support/world.ts'

const SLOT = 96
const SHARE = 'loadbalancer.fairway.dev/allow-shared-ip'
const ADDRESSES = 'loadbalancer.fairway.dev/addresses'

/** Four addresses, of which .0 is passed over. */
const withPool = (base: string) => ['--load-balancer-cidr', `${base}.0/30`]

describe.each([...variants(SLOT), ...socketVariant(SLOT)])('LoadBalancer Services of fairway up, $title', (variant) => {
  const base = `${variant.asUser ? '127' : '10'}.95.${SLOT}`
  let dataDir: string
  let world: World
  const open = async (): Promise<void> => {
    world = await startWorld({ ...variant, dataDir, args: [...(variant.args ?? []), ...withPool(base)] })
  }

  beforeAll(async () => {
    dataDir = await newDataDir(variant.asUser)
    await open()
    await world.apply(deployment('web', echoPod('web')))
    await world.rollout('web')
  })
  afterAll(async () => {
    await world?.close()
    await rm(dataDir, { recursive: true, force: true })
  })

  const balanced = (name: string, port = 8080, annotations: Readonly<Record<string, string>> = {}) => {
    const { metadata, spec, ...rest } = service('web')
    return {
      ...rest,
      metadata: { ...metadata, name, annotations },
      spec: { ...spec, type: 'LoadBalancer', ports: [{ name: 'http', port, targetPort: 'http' }] },
    }
  }
  const addressOf = (name: string): Promise<string> => world.jsonpath('{.status.loadBalancer.ingress[*].ip}', 'service', name)
  const reasonOf = (name: string): Promise<string> =>
    world.jsonpath('{.status.conditions[?(@.status=="False")].reason}', 'service', name)
  const remove = (...names: readonly string[]) => world.kubectl.ok(['delete', 'service', ...names, '--timeout=20s'])

  it('get an address, at which curl reaches their pods', async () => {
    await world.apply(balanced('one'))
    await expect.poll(() => addressOf('one')).toBe(`${base}.1`)
    await expect.poll(async () => (await world.get(`http://${base}.1:8080/`)).code).toBe(200)
    const events = await world.kubectl.ok([
      'get',
      'events',
      '--field-selector=involvedObject.name=one',
      '-o',
      'jsonpath={.items[*].reason}',
    ])
    expect(events).toContain('EnsuredLoadBalancer')
  })

  it('wait with a reason while the pool is exhausted, keep no other from going on, and get what comes free', async () => {
    await world.apply([balanced('two'), balanced('three')])
    await expect.poll(() => addressOf('two')).not.toBe('')
    await expect.poll(() => addressOf('three')).not.toBe('')
    await world.apply(balanced('four'))
    await expect.poll(() => reasonOf('four')).toBe('AddressesExhausted')
    const freed = await addressOf('two')
    await remove('two')
    await expect.poll(() => addressOf('four')).toBe(freed)
    await expect.poll(async () => (await world.get(`http://${freed}:8080/`)).code).toBe(200)
  })

  it('lose the address with the type, and get the one that they ask for', async () => {
    await world.kubectl.ok(['patch', 'service', 'four', '-p', '{"spec":{"type":"ClusterIP"}}'])
    await expect.poll(() => world.jsonpath('{.metadata.finalizers}', 'service', 'four')).toBe('')
    expect(await addressOf('four')).toBe('')
    await remove('one', 'three', 'four')
    await world.apply(balanced('asks', 8080, { [ADDRESSES]: `${base}.3` }))
    await expect.poll(() => addressOf('asks')).toBe(`${base}.3`)
    await remove('asks')
    // Whoever answers there now, it is not the pods.
    await expect.poll(async () => (await world.get(`http://${base}.3:8080/`, '-m', '1')).pod).toBe('')
  })

  it('share an address when their ports differ', async () => {
    await world.apply([balanced('left', 8081, { [SHARE]: 's' }), balanced('right', 8082, { [SHARE]: 's' })])
    await expect.poll(() => addressOf('right')).not.toBe('')
    const address = await addressOf('left')
    expect(await addressOf('right')).toBe(address)
    for (const port of [8081, 8082]) await expect.poll(async () => (await world.get(`http://${address}:${port}/`)).code).toBe(200)
    await world.apply(balanced('late', 8081, { [SHARE]: 's' }))
    await expect.poll(() => reasonOf('late')).toBe('PortConflict')
    await remove('left')
    await expect.poll(() => addressOf('late')).toBe(address)
  })

  it('keep their addresses over a restart', async () => {
    const before = await addressOf('right')
    await world.kubectl.ok(['delete', 'service', 'late'])
    await world.close()
    await open()
    expect(await addressOf('right')).toBe(before)
    await world.apply(balanced('new'))
    await expect.poll(() => addressOf('new')).not.toBe('')
    expect(await addressOf('new')).not.toBe(before)
    expect(await addressOf('right')).toBe(before)
  })
})
