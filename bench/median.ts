/** The middle value; of an even number of values the mean of the two in the middle. */
export const median = (values: readonly number[]): number => percentile(values, 0.5)

/** The value below which the fraction `p` (0..1) of the values lies, interpolated. */
export const percentile = (values: readonly number[], p: number): number => {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (sorted.length - 1) * p
  const low = sorted[Math.floor(at)] ?? Number.NaN
  const high = sorted[Math.ceil(at)] ?? Number.NaN
  return low + (high - low) * (at - Math.floor(at))
}
