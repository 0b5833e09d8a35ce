import type { AttributeChanges, GroupSettings, ListenerChanges, NewRule, PlacedTarget } from './client/index.ts'
import type { PlannedListener } from './plan.ts'

/** One step of bringing a load balancer to its plan; each is one call of the API, or a few where the API's limits ask for it. */
export type Operation =
  | { readonly kind: 'set-security-groups'; readonly groups: readonly string[] }
  | { readonly kind: 'modify-load-balancer'; readonly changes: AttributeChanges }
  /** Alike but for their ports. */
  | { readonly kind: 'create-listeners'; readonly listeners: readonly PlannedListener[] }
  | { readonly kind: 'modify-listener'; readonly listenerId: string; readonly changes: ListenerChanges }
  | { readonly kind: 'delete-listeners'; readonly ids: readonly string[] }
  | { readonly kind: 'create-rules'; readonly listenerId: string; readonly rules: readonly NewRule[] }
  | { readonly kind: 'modify-rule'; readonly listenerId: string; readonly locationId: string; readonly settings: GroupSettings }
  | {
      readonly kind: 'modify-domain'
      readonly listenerId: string
      readonly domain: string
      readonly certificates: readonly string[]
    }
  | { readonly kind: 'delete-rules'; readonly listenerId: string; readonly ids: readonly string[] }
  | { readonly kind: 'register'; readonly targets: readonly PlacedTarget[] }
  /** Sets weights. */
  | { readonly kind: 'weigh'; readonly targets: readonly PlacedTarget[] }
  | { readonly kind: 'deregister'; readonly targets: readonly PlacedTarget[] }
