import { type Service, sameValue, serviceKind } from '../../../api/index.ts'
import type { Clock } from '../../../base/index.ts'
import type { Store } from '../../../store/index.ts'
import type { Allocators } from '../../allocators/index.ts'
import type { Plan, PlanRequest, Strategy } from '../strategy.ts'
import { claimedAddresses, claimedPorts } from './claims.ts'
import { createLedger, type PlanContext } from './ledger.ts'
import { planAddresses } from './plan-addresses.ts'
import { planPorts } from './plan-ports.ts'
import { prepareForCreate, prepareForUpdate } from './prepare.ts'

export interface ServiceStrategyOptions {
  readonly store: Store
  readonly clock: Clock
  /** Started before the first write. */
  readonly allocators: Allocators
}

/** Services: their cluster addresses, node ports and health check port become true in the transaction that writes them. */
export const createServiceStrategy = (options: ServiceStrategyOptions): Strategy<Service> => ({
  kind: serviceKind,
  prepareForCreate,
  prepareForUpdate,
  plan: (request) => planService(options, request),
})

const planService = async (options: ServiceStrategyOptions, { object, old }: PlanRequest<Service>): Promise<Plan<Service>> => {
  if (object !== undefined && old !== undefined && sameValue(object.spec, old.spec)) return nothingToDo(object)
  await options.allocators.synced()
  const ledger = createLedger(options.allocators)
  const context: PlanContext = { ...options, ledger }
  try {
    const planned = await fill(context, object ?? withoutClaims(old), old)
    if (ledger.problems.length > 0) {
      ledger.release()
      return { kind: 'refused', problems: ledger.problems }
    }
    const { conditions, writes } = ledger
    return { kind: 'ok', object: object === undefined ? undefined : planned, conditions, writes, settle: ledger.release }
  } catch (error) {
    ledger.release()
    throw error
  }
}

/** Addresses first, then ports; the problems of both are reported together. */
const fill = async (
  context: PlanContext,
  object: Service | undefined,
  old: Service | undefined,
): Promise<Service | undefined> => {
  if (object === undefined) return undefined
  const addressed = await planAddresses(context, object, old)
  return planPorts(context, addressed, old)
}

/** What is left to plan of a Service that is deleted: it holds nothing, so that all is given back. */
const withoutClaims = (old: Service | undefined): Service | undefined =>
  old === undefined || (claimedAddresses(old).length === 0 && claimedPorts(old).length === 0)
    ? undefined
    : { ...old, spec: { type: 'ExternalName' } }

const nothingToDo = (object: Service): Plan<Service> => ({ kind: 'ok', object, conditions: [], writes: [], settle: () => {} })
