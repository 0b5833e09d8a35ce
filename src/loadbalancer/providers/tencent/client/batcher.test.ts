import { describe, expect, it } from 'vitest'
import { createBatcher } from './batcher.ts'

const NEVER = new AbortController().signal

const rig = (max = 3) => {
  const calls: (readonly string[])[] = []
  const turns: (() => void)[] = []
  const batcher = createBatcher<string>({
    max,
    turn: () => new Promise((resolve) => turns.push(resolve)),
    run: async (keys) => {
      calls.push(keys)
      if (keys.includes('bad')) throw new Error('refused')
      return new Map(keys.filter((key) => key !== 'gone').map((key) => [key, `is ${key}`]))
    },
  })
  const turn = async (): Promise<void> => {
    turns.shift()?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { batcher, calls, turn }
}

describe('a batcher', () => {
  it('asks at once for what was asked for while it waited for its turn, each once', async () => {
    const { batcher, calls, turn } = rig()
    const all = ['a', 'b', 'a', 'gone'].map((key) => batcher.load(key, NEVER))
    await turn()
    expect(await Promise.all(all)).toEqual(['is a', 'is b', 'is a', undefined])
    expect(calls).toEqual([['a', 'b', 'gone']])
  })

  it('cuts to what one call takes', async () => {
    const { batcher, calls, turn } = rig(2)
    const all = ['a', 'b', 'c'].map((key) => batcher.load(key, NEVER))
    await turn()
    await turn()
    await Promise.all(all)
    expect(calls).toEqual([['a', 'b'], ['c']])
  })

  it('reads anew what is asked for after a call went out', async () => {
    const { batcher, calls, turn } = rig()
    const first = batcher.load('a', NEVER)
    await turn()
    const second = batcher.load('a', NEVER)
    await turn()
    await Promise.all([first, second])
    expect(calls).toEqual([['a'], ['a']])
  })

  it('fails those of a call that failed, and no others', async () => {
    const { batcher, turn } = rig(1)
    const bad = batcher.load('bad', NEVER)
    const good = batcher.load('good', NEVER)
    const failed = expect(bad).rejects.toThrow('refused')
    await turn()
    await turn()
    await failed
    expect(await good).toBe('is good')
  })

  it('lets go of who is aborted', async () => {
    const { batcher, turn } = rig()
    const stop = new AbortController()
    const one = batcher.load('a', stop.signal)
    stop.abort(new Error('the end'))
    await expect(one).rejects.toThrow('the end')
    await turn()
  })
})
