import { beforeEach, describe, expect, it } from 'vitest'
import { type PausedClock, pausedClock } from '../../base/testing/paused-clock.ts'
import { AcceptTurns, TURN } from './accept-turns.ts'

let clock: PausedClock
let turns: AcceptTurns<string>
let granted: string[]
const over = (worker: string, connections: number): void => turns.over(worker, connections, () => granted.push(worker))

beforeEach(() => {
  clock = pausedClock()
  turns = new AcceptTurns(clock)
  granted = []
  turns.note('a', 0)
  turns.note('b', 0)
})

describe('a worker whose turn is over', () => {
  it('gets another at once when it is not ahead', () => {
    over('a', TURN)
    expect(granted).toEqual(['a'])
  })

  it('waits when it is ahead until the other has caught up', () => {
    over('a', 3 * TURN)
    expect(granted).toEqual([])
    over('b', TURN)
    expect(granted).toEqual(['b'])
    over('b', 2 * TURN)
    expect(granted).toEqual(['b', 'a', 'b'])
  })

  it('waits no longer than a moment', async () => {
    over('a', 3 * TURN)
    await clock.advance(9)
    expect(granted).toEqual([])
    await clock.advance(1)
    expect(granted).toEqual(['a'])
    await clock.advance(100)
    expect(granted).toEqual(['a'])
  })

  it('waits when it had two turns more, whatever is known of connections', async () => {
    turns.note('b', 9 * TURN)
    over('a', TURN)
    over('a', 2 * TURN)
    expect(granted).toEqual(['a'])
    over('b', TURN)
    expect(granted).toEqual(['a', 'a', 'b'])
  })

  it('gets every port back that it gave', async () => {
    over('a', 3 * TURN)
    over('a', 4 * TURN)
    await clock.advance(10)
    expect(granted).toEqual(['a', 'a'])
  })

  it('does not wait for a worker that has left', () => {
    turns.leave('b')
    over('a', 3 * TURN)
    expect(granted).toEqual(['a'])
  })

  it('gets nothing when it has left itself', async () => {
    over('a', 3 * TURN)
    turns.leave('a')
    await clock.advance(100)
    expect(granted).toEqual([])
  })
})
