import type { Template } from '../../../l7/table/index.ts'
import { differs } from '../annotation.ts'
import { fieldName, fieldValue, reference } from '../grammar/names.ts'
import { shown } from '../grammar/reading.ts'

export const headerAnnotations = {
  'custom-headers': differs(
    reference,
    'any response header but those that frame a message, or only those of global-allowed-response-headers when the ConfigMap has it; a ConfigMap of another namespace is refused',
  ),
} as const

export interface ReadFields {
  readonly set: readonly (readonly [string, Template])[]
  readonly problems: readonly string[]
}

/** Fields and values as a ConfigMap has them; `allowed` in lower case, undefined for all. */
export const readFields = (data: Readonly<Record<string, string>>, allowed?: ReadonlySet<string>): ReadFields => {
  const set: (readonly [string, Template])[] = []
  const problems: string[] = []
  for (const [key, text] of Object.entries(data).sort(([a], [b]) => (a < b ? -1 : 1))) {
    const name = fieldName(key)
    const value = fieldValue(text.trim())
    if (!name.ok) problems.push(`${shown(key)} is not ${name.why}`)
    else if (allowed !== undefined && !allowed.has(name.value))
      problems.push(`${name.value} is not among global-allowed-response-headers`)
    else if (value.ok) set.push([name.value, [value.value]])
    else problems.push(`the value of ${name.value} is not ${value.why}`)
  }
  return { set, problems: problems.slice(0, 10) }
}
