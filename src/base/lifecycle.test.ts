import { describe, expect, it } from 'vitest'
import { aborted, type Running, silentLogger } from './index.ts'
import { createLifecycle, type Startable } from './lifecycle.ts'

const recorded = (name: string, events: string[]): Startable<Running> => ({
  name,
  start: async (signal) => {
    events.push(`${name} up`)
    return { stopped: aborted(signal).then(() => void events.push(`${name} down`)) }
  },
})

describe('lifecycle', () => {
  it('stops in the opposite order of the start', async () => {
    const events: string[] = []
    const lifecycle = createLifecycle(silentLogger)
    for (const name of ['store', 'api', 'node']) await lifecycle.start(recorded(name, events))
    await lifecycle.stop()
    expect(events).toEqual(['store up', 'api up', 'node up', 'node down', 'api down', 'store down'])
  })

  it('tells which component failed by itself', async () => {
    const lifecycle = createLifecycle(silentLogger)
    await lifecycle.start({ name: 'dns', start: async () => ({ stopped: Promise.reject(new Error('socket gone')) }) })
    expect((await lifecycle.failed).message).toBe('dns failed: socket gone')
  })

  it('stops the others when one does not stop cleanly', async () => {
    const events: string[] = []
    const lifecycle = createLifecycle(silentLogger)
    await lifecycle.start(recorded('store', events))
    await lifecycle.start({
      name: 'bad',
      start: async (signal) => ({
        stopped: aborted(signal).then(() => {
          throw new Error('stuck')
        }),
      }),
    })
    await lifecycle.stop()
    expect(events).toEqual(['store up', 'store down'])
  })

  it('forgets a component whose start was refused', async () => {
    const lifecycle = createLifecycle(silentLogger)
    await expect(lifecycle.start({ name: 'x', start: () => Promise.reject(new Error('no')) })).rejects.toThrow('no')
    await lifecycle.stop()
  })
})
