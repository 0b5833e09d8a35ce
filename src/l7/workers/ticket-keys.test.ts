import { expect, it } from 'vitest'
import { pausedClock } from '../../base/testing/paused-clock.ts'
import { TicketKeys } from './ticket-keys.ts'

it('ticket keys change every twelve hours, until they are stopped', async () => {
  const clock = pausedClock()
  const rotated: string[] = []
  const keys = new TicketKeys(clock, (next) => rotated.push(next.toString('hex')))
  const first = keys.current.toString('hex')
  expect(keys.current).toHaveLength(48)
  keys.start()
  await clock.advance(12 * 3_600_000 - 1)
  expect(rotated).toEqual([])
  await clock.advance(1)
  await clock.advance(12 * 3_600_000)
  expect(new Set([first, ...rotated]).size).toBe(3)
  expect(keys.current.toString('hex')).toBe(rotated[1])
  keys.stop()
  await clock.advance(48 * 3_600_000)
  expect(rotated).toHaveLength(2)
})
