import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startLoad } from '../support/load.ts'
import { deployment, echoPod, ingress, path, service, startWorld, variants, type World } from '../support/world.ts'

const CHANGES = 1_000
const AT_ONCE = 50
const HOST = 'steady.example'

describe.each(variants(29))('an Ingress whose neighbours change, $title', ({ asUser, slot }) => {
  let world: World

  beforeAll(async () => {
    world = await startWorld({ asUser, slot })
    await world.apply([
      deployment('steady', echoPod('steady')),
      service('steady'),
      ingress('steady', HOST, [path('/', 'steady')]),
    ])
    await world.rollout('steady')
  })
  afterAll(() => world?.close())

  it(`loses no request in ${CHANGES} changes of routes`, { timeout: 120_000 }, async () => {
    await expect.poll(async () => (await world.ingress(HOST, '/')).code, { timeout: 20_000 }).toBe(200)
    const load = startLoad([{ name: 'Ingress', url: world.instance.status.ingress.http, host: HOST }])
    for (let done = 0; done < CHANGES; done += AT_ONCE) {
      // The same fifty, each with another path every time; the steady host gets one more and loses it again.
      const changed = Array.from({ length: AT_ONCE - 1 }, (_, i) =>
        ingress(`other-${i}`, `h${i}.example`, [path(`/v${done}`, 'steady')]),
      )
      await world.apply([...changed, ingress('beside', HOST, [path(`/only-${done}`, 'steady')])])
    }
    const last = `/v${CHANGES - AT_ONCE}`
    await expect.poll(async () => (await world.ingress('h0.example', last)).code, { timeout: 20_000 }).toBe(200)
    expect((await world.ingress('h0.example', '/v0')).code).toBe(404)
    const { answered, failures } = await load.stop()
    expect(failures).toEqual([])
    expect(Math.min(...Object.values(answered))).toBeGreaterThan(100)
  })
})
