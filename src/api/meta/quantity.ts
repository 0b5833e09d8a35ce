const SUFFIXES: ReadonlyMap<string, readonly [base: bigint, exponent: number]> = new Map([
  ['n', [10n, -9]],
  ['u', [10n, -6]],
  ['m', [10n, -3]],
  ['', [10n, 0]],
  ['k', [10n, 3]],
  ['M', [10n, 6]],
  ['G', [10n, 9]],
  ['T', [10n, 12]],
  ['P', [10n, 15]],
  ['E', [10n, 18]],
  ['Ki', [2n, 10]],
  ['Mi', [2n, 20]],
  ['Gi', [2n, 30]],
  ['Ti', [2n, 40]],
  ['Pi', [2n, 50]],
  ['Ei', [2n, 60]],
])

const QUANTITY = /^([+-]?)([0-9]*)(?:\.([0-9]*))?(?:[eE]([+-]?[0-9]{1,2})|([numkMGTPE]|[KMGTPE]i))?$/
const MAX_TEXT = 64
/** Everything is counted in 10^-18, finer than any quantity may be. */
const FRACTION_DIGITS = 18
const UNIT = 10n ** BigInt(FRACTION_DIGITS)

/** A `resource.Quantity` in units of 10^-18; undefined when it isn't one. */
export const parseQuantity = (quantity: string | number): bigint | undefined => {
  const text = String(quantity)
  const match = text.length > MAX_TEXT ? null : QUANTITY.exec(text)
  if (match === null) return undefined
  const [, sign = '', whole = '', fraction = '', exponent, suffix = ''] = match
  if (whole === '' && fraction === '') return undefined
  const digits = BigInt(whole + fraction.slice(0, FRACTION_DIGITS).padEnd(FRACTION_DIGITS, '0'))
  const scaled = scale(digits, exponent === undefined ? SUFFIXES.get(suffix) : [10n, Number(exponent)])
  return sign === '-' ? -scaled : scaled
}

const scale = (digits: bigint, by: readonly [base: bigint, exponent: number] = [10n, 0]): bigint => {
  const [base, exponent] = by
  return exponent < 0 ? digits / base ** BigInt(-exponent) : digits * base ** BigInt(exponent)
}

/** Below, at or above 0 as `a` is less than, equal to or more than `b`; undefined when either is no quantity. */
export const compareQuantities = (a: string | number, b: string | number): number | undefined => {
  const left = parseQuantity(a)
  const right = parseQuantity(b)
  if (left === undefined || right === undefined) return undefined
  return left === right ? 0 : left < right ? -1 : 1
}

/** A quantity as a plain number, for sums that need no more than that. */
export const quantityToNumber = (quantity: string | number): number | undefined => {
  const value = parseQuantity(quantity)
  return value === undefined ? undefined : Number(value / (UNIT / 1_000_000n)) / 1_000_000
}
