import type { Problem } from '../../kind.ts'
import { dns1123LabelErrors, dns1123SubdomainErrors, pathSegmentErrors } from '../../meta/names.ts'
import { Problems } from '../../problems.ts'
import { sameValue } from '../../same-value.ts'
import type { IPAddress } from './schema.ts'

const PATH = 'spec.parentRef'

/** All problems of an IPAddress; its name is checked as every name is, and who has it can't change. */
export const validateIPAddress = (address: IPAddress, old?: IPAddress): readonly Problem[] => {
  const problems = new Problems()
  const parent: IPAddress['spec']['parentRef'] | undefined = address.spec.parentRef
  if (old !== undefined && !sameValue(parent, old.spec.parentRef)) problems.invalid(PATH, parent ?? null, 'field is immutable')
  if (parent === undefined) {
    problems.required(PATH)
    return problems.list
  }
  const { group = '', resource = '', namespace = '', name = '' } = parent
  if (group !== '') problems.invalidEach(`${PATH}.group`, group, dns1123SubdomainErrors(group))
  for (const [field, value] of Object.entries({ resource, name })) {
    if (value === '') problems.required(`${PATH}.${field}`)
    else problems.invalidEach(`${PATH}.${field}`, value, pathSegmentErrors(value))
  }
  if (namespace !== '') problems.invalidEach(`${PATH}.namespace`, namespace, dns1123LabelErrors(namespace))
  return problems.list
}
