const MINUTE = 60
const HOUR = 60
const DAY = 24
const YEAR = 365

/** A duration as kubectl prints ages: two units while it is short, one when it is long (`5m30s`, `2d3h`, `40d`). */
export const humanDuration = (milliseconds: number): string => {
  const seconds = Math.trunc(milliseconds / 1000)
  if (seconds < -1) return '<invalid>'
  if (seconds < 2 * MINUTE) return `${Math.max(0, seconds)}s`
  const minutes = Math.floor(seconds / MINUTE)
  if (minutes < 10) return pair(`${minutes}m`, seconds % MINUTE, 's')
  if (minutes < 3 * HOUR) return `${minutes}m`
  const hours = Math.floor(minutes / HOUR)
  if (hours < 8) return pair(`${hours}h`, minutes % HOUR, 'm')
  if (hours < 2 * DAY) return `${hours}h`
  const days = Math.floor(hours / DAY)
  if (days < 8) return pair(`${days}d`, hours % DAY, 'h')
  if (days < 2 * YEAR) return `${days}d`
  const years = Math.floor(days / YEAR)
  return years < 8 ? pair(`${years}y`, days % YEAR, 'd') : `${years}y`
}

const pair = (large: string, small: number, unit: string): string => (small === 0 ? large : `${large}${small}${unit}`)

/** How long ago a time of the API was, as kubectl prints it; `<unknown>` when there is none. */
export const ageOf = (timestamp: string | undefined, nowMs: number): string => {
  if (timestamp === undefined) return '<unknown>'
  const thenMs = Date.parse(timestamp)
  return Number.isNaN(thenMs) ? '<unknown>' : humanDuration(nowMs - thenMs)
}
