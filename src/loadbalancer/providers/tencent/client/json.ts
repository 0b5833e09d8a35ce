/** The API's JSON: fields may be missing, null, or of another type; then they are read as nothing. */
export type Json = Readonly<Record<string, unknown>>

export const textIn = (json: Json, name: string): string | undefined => {
  const value = json[name]
  return typeof value === 'string' && value !== '' ? value : undefined
}

export const numberIn = (json: Json, name: string): number | undefined => {
  const value = json[name]
  return typeof value === 'number' ? value : undefined
}

export const textsIn = (json: Json, name: string): readonly string[] => {
  const value = json[name]
  return Array.isArray(value) ? value.filter((each): each is string => typeof each === 'string') : []
}

export const recordsIn = (json: Json, name: string): readonly Json[] => {
  const value = json[name]
  return Array.isArray(value) ? value.filter((each): each is Json => typeof each === 'object' && each !== null) : []
}

export const recordIn = (json: Json, name: string): Json => {
  const value = json[name]
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {}
}

/** Without the fields that are undefined. */
export const defined = <T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>
  }
