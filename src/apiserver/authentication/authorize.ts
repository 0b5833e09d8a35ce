import { ApiError } from '../../api/index.ts'
import type { UserInfo } from '../../client/index.ts'
import { type Access, OPEN_PATHS } from '../rest/index.ts'

const ADMINISTRATORS = 'system:masters'

/** Whether a user may: administrators everything, others only ask what they may do and read the discovery documents. */
export const authorize = (user: UserInfo, access: Access): boolean => {
  if (user.groups.includes(ADMINISTRATORS)) return true
  if ('path' in access) return access.verb === 'get' && OPEN_PATHS.some((pattern) => matches(pattern, access.path))
  return access.verb === 'create' && SELF_GROUPS.has(access.group) && access.resource.startsWith('selfsubject')
}

const SELF_GROUPS = new Set(['authorization.k8s.io', 'authentication.k8s.io'])

const matches = (pattern: string, path: string): boolean =>
  pattern.endsWith('/*') ? path.startsWith(pattern.slice(0, -1)) : path === pattern

/** 403 in Kubernetes' words. */
export const accessForbidden = (user: UserInfo, access: Access): ApiError => {
  const who = `User ${JSON.stringify(user.name)} cannot ${access.verb}`
  if ('path' in access) {
    return new ApiError({
      code: 403,
      reason: 'Forbidden',
      message: `forbidden: ${who} path ${JSON.stringify(access.path)}`,
      details: {},
    })
  }
  const { group, name, namespace } = access
  const resource = access.subresource ? `${access.resource}/${access.subresource}` : access.resource
  const qualified = group === '' ? access.resource : `${access.resource}.${group}`
  const named = name === undefined ? qualified : `${qualified} ${JSON.stringify(name)}`
  const where = namespace === undefined ? 'at the cluster scope' : `in the namespace ${JSON.stringify(namespace)}`
  return new ApiError({
    code: 403,
    reason: 'Forbidden',
    message: `${named} is forbidden: ${who} resource ${JSON.stringify(resource)} in API group ${JSON.stringify(group)} ${where}`,
    details: { ...(name === undefined ? {} : { name }), ...(group === '' ? {} : { group }), kind: access.resource },
  })
}
