import { compareQuantities } from '../../meta/quantity.ts'
import type { Problems } from '../../problems.ts'
import type { Container } from './container.ts'

/** Reports amounts below nothing, and requests above their limit. */
export const validateResources = (problems: Problems, path: string, resources: Container['resources']): void => {
  for (const field of ['limits', 'requests'] as const) {
    for (const [name, amount] of Object.entries(resources?.[field] ?? {})) {
      if ((compareQuantities(amount, 0) ?? 0) < 0) {
        problems.invalid(`${path}.${field}[${name}]`, amount, 'must be greater than or equal to 0')
      }
    }
  }
  for (const [name, request] of Object.entries(resources?.requests ?? {})) {
    const limits = resources?.limits ?? {}
    const limit = Object.hasOwn(limits, name) ? limits[name] : undefined
    if (limit !== undefined && (compareQuantities(request, limit) ?? 0) > 0) {
      problems.invalid(`${path}.requests`, request, `must be less than or equal to ${name} limit of ${limit}`)
    }
  }
}
