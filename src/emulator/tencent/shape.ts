import { badLength, badValue, CloudError, missing, notOfType, outOfRange } from './errors.ts'

/** Reads one value of a request's JSON, or throws the `CloudError` that the cloud answers; `at` is its place, such as `Targets.0.Port`. */
export interface Shape<T> {
  readonly read: (value: unknown, at: string) => T
  readonly isOptional?: false
}

/** A field that may be left out; null counts as left out, as in the cloud's SDKs. */
export interface Optional<T> {
  readonly read: (value: unknown, at: string) => T | undefined
  readonly isOptional: true
}

type Fields = Readonly<Record<string, Shape<unknown> | Optional<unknown>>>
type RequiredKeys<F> = { [K in keyof F]: F[K] extends Optional<unknown> ? never : K }[keyof F]
type RecordOf<F> = { readonly [K in RequiredKeys<F>]: F[K] extends Shape<infer T> ? T : never } & {
  readonly [K in Exclude<keyof F, RequiredKeys<F>>]?: F[K] extends Optional<infer T> ? T : never
}

/** What a shape reads. */
export type Of<S> = S extends Shape<infer T> ? T : never

interface TextLimits {
  readonly min?: number
  readonly max?: number
  readonly pattern?: RegExp
}

export const text = ({ min = 1, max = 1024, pattern }: TextLimits = {}): Shape<string> => ({
  read: (value, at) => {
    if (typeof value !== 'string') throw notOfType(at, 'a string')
    if (value.length < min || value.length > max) throw badLength(at, `from ${min} to ${max} characters`)
    if (pattern !== undefined && !pattern.test(value)) throw badFormat(at, value)
    return value
  },
})

const badFormat = (at: string, value: string): CloudError =>
  new CloudError(
    'InvalidParameter.FormatError',
    `The format of parameter \`${at}\` is not valid: ${JSON.stringify(value.slice(0, 80))}.`,
  )

export const oneOf = <const T extends string>(...allowed: readonly T[]): Shape<T> => ({
  read: (value, at) => {
    if (typeof value !== 'string') throw notOfType(at, 'a string')
    const found = allowed.find((one) => one === value)
    if (found === undefined) throw badValue(at, `${JSON.stringify(value.slice(0, 80))} is none of ${allowed.join(', ')}`)
    return found
  },
})

export const whole = (min: number, max: number): Shape<number> => ({
  read: (value, at) => {
    if (typeof value !== 'number' || !Number.isInteger(value)) throw notOfType(at, 'an integer')
    if (value < min || value > max) throw outOfRange(at, `${value} is not from ${min} to ${max}`)
    return value
  },
})

/** One of a few numbers. */
export const numberOf = (...allowed: readonly number[]): Shape<number> => ({
  read: (value, at) => {
    if (typeof value !== 'number' || !Number.isInteger(value)) throw notOfType(at, 'an integer')
    if (!allowed.includes(value)) throw badValue(at, `${value} is none of ${allowed.join(', ')}`)
    return value
  },
})

export const flag: Shape<boolean> = {
  read: (value, at) => {
    if (typeof value !== 'boolean') throw notOfType(at, 'a boolean')
    return value
  },
}

export const list = <T>(of: Shape<T>, min: number, max: number): Shape<readonly T[]> => ({
  read: (value, at) => {
    if (!Array.isArray(value)) throw notOfType(at, 'a list')
    if (value.length < min) throw min === 1 ? missing(`${at}.0`) : badLength(at, `at least ${min} items`)
    if (value.length > max) throw badLength(at, `${value.length} items, at most ${max} are allowed`)
    return value.map((item, index) => of.read(item, `${at}.${index}`))
  },
})

export const optional = <T>(shape: Shape<T>): Optional<T> => ({
  read: (value, at) => (value === undefined || value === null ? undefined : shape.read(value, at)),
  isOptional: true,
})

/** An object with these fields and no others. */
export const record = <const F extends Fields>(fields: F): Shape<RecordOf<F>> => ({
  read: (value, at) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw notOfType(at === '' ? 'the request' : at, 'an object')
    const given = new Map(Object.entries(value))
    const prefix = at === '' ? '' : `${at}.`
    for (const key of given.keys()) {
      if (!Object.hasOwn(fields, key))
        throw new CloudError('UnknownParameter', `The parameter \`${prefix}${key.slice(0, 80)}\` is not recognized.`)
    }
    const result: Record<string, unknown> = {}
    for (const [key, field] of Object.entries(fields)) {
      const item: unknown = given.get(key) ?? undefined
      if (item === undefined && field.isOptional !== true) throw missing(prefix + key)
      const read = field.read(item, prefix + key)
      if (read !== undefined) result[key] = read
    }
    // What was read field by field has the type that the fields say.
    return result as RecordOf<F>
  },
})
