import { CloudError } from '../errors.ts'
import type { Action } from './action.ts'
import { listenerActions } from './listeners.ts'
import { loadBalancerActions } from './load-balancers.ts'
import { instanceActions, subnetActions } from './machines.ts'
import { readActions } from './reads.ts'
import { rewriteActions } from './rewrites.ts'
import { ruleActions } from './rules.ts'
import { tagActions } from './tags.ts'
import { targetActions } from './targets.ts'

export type { Context, Health, Outcome } from './action.ts'

/** Every action, by the version of its API; a host of one's own (`--listen`) serves all APIs, so the version tells them apart. */
const versions: Readonly<Record<string, Readonly<Record<string, Action>>>> = {
  '2018-03-17': {
    ...loadBalancerActions,
    ...listenerActions,
    ...ruleActions,
    ...rewriteActions,
    ...targetActions,
    ...readActions,
  },
  '2018-08-13': tagActions,
  // CVM and VPC have the same.
  '2017-03-12': { ...instanceActions, ...subnetActions },
}

/** The tag API has one endpoint for all regions: it need not be told one. */
export const isRegional = (version: string): boolean => version !== '2018-08-13'

/** Throws `CloudError` for a version or an action that there isn't. */
export const actionNamed = (version: string, name: string): Action => {
  const actions = Object.hasOwn(versions, version) ? versions[version] : undefined
  if (actions === undefined)
    throw new CloudError('NoSuchVersion', `The version ${JSON.stringify(version.slice(0, 40))} does not exist.`)
  const found = Object.hasOwn(actions, name) ? actions[name] : undefined
  if (found === undefined)
    throw new CloudError('InvalidAction', `The action ${JSON.stringify(name.slice(0, 80))} does not exist.`)
  return found
}
