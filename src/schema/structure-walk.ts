/** A value of the wrong type, or one that its type cannot hold. */
export interface StructureError {
  /** Where, as Kubernetes writes it: `spec.ports[0].port`. */
  readonly path: string
  /** In the words of Go's decoder: `json: cannot unmarshal string into Go struct field ServicePort.spec.ports.port of type int32`. */
  readonly message: string
}

/** More than this many errors or unknown fields of one object help nobody. */
const limit = 100

/** How deep a value may be nested; deeper ones would exhaust the stack of whoever walks them next. */
export const maxDepth = 500

/** The state of one check: where it is, and what it found. */
export class Walk {
  readonly errors: StructureError[] = []
  readonly unknownFields: string[] = []
  /** Field names, map keys and list indexes from the root. */
  readonly steps: Step[] = []
  /** Field names only: Go's decoder names neither keys nor indexes. */
  readonly fields: string[] = []
  /** The message whose field is being read. */
  message = ''
  private readonly reportsUnknown: boolean

  constructor(reportsUnknown: boolean) {
    this.reportsUnknown = reportsUnknown
  }

  fail(message: string): undefined {
    if (this.errors.length < limit) this.errors.push({ path: pathText(this.steps), message })
    return undefined
  }

  /** A JSON value of one type where the Go type `goType` is expected. */
  mismatch(value: unknown, goType: string): undefined {
    const target = this.message === '' ? 'value' : `struct field ${this.message}.${this.fields.join('.')}`
    return this.fail(`json: cannot unmarshal ${jsonTypeName(value, goType)} into Go ${target} of type ${goType}`)
  }

  unknown(field: string): void {
    if (!this.reportsUnknown || this.unknownFields.length >= limit) return
    this.unknownFields.push(pathText([...this.steps, field]))
  }
}

type Step = string | number

const shownKeyLength = 200

const pathText = (steps: readonly Step[]): string => {
  let path = ''
  for (const step of steps) {
    if (typeof step === 'number') path += `[${step}]`
    else path += `${path === '' ? '' : '.'}${step.length > shownKeyLength ? `${step.slice(0, shownKeyLength)}...` : step}`
  }
  return path
}

/** The type of a JSON value in the words of Go's decoder; a number with its value where it is the value that doesn't fit. */
export const jsonTypeName = (value: unknown, goType: string): string => {
  if (Array.isArray(value)) return 'array'
  switch (typeof value) {
    case 'boolean':
      return 'bool'
    case 'number':
      return goType.startsWith('int') ? `number ${value}` : 'number'
    case 'string':
    case 'object':
      return typeof value
    default:
      return 'null'
  }
}
