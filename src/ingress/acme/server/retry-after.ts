/** The field `Retry-After`, seconds or a date, as milliseconds from now; undefined when there is none that can be read. */
export const readRetryAfter = (value: string | undefined, nowMs: number): number | undefined => {
  if (value === undefined) return undefined
  const text = value.trim()
  if (/^[0-9]{1,9}$/.test(text)) return Number(text) * 1_000
  const at = Date.parse(text)
  return Number.isNaN(at) || /^[0-9+-]/.test(text) ? undefined : Math.max(0, at - nowMs)
}
