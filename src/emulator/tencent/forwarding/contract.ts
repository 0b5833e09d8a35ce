import type { Health } from '../actions/index.ts'
import type { Listener, LoadBalancer, Rule, Target } from '../model.ts'

/** Where a listener really listens, or why it doesn't. */
type Listening = { readonly address: string; readonly port: number } | { readonly problem: string }

/** The traffic of the load balancers. */
export interface Forwarding {
  /** Opens what `next` listens on and is not open yet. Rejects, with everything as it was, when a port cannot be had. */
  prepare(next: LoadBalancer): Promise<void>
  /** From now on traffic goes as `next` says; null: the load balancer is gone. What cannot listen is noted in `listeningOf`. */
  apply(id: string, next: LoadBalancer | null): Promise<void>
  healthOf(group: Listener | Rule, target: Target): Health
  listeningOf(listenerId: string): Listening | undefined
  close(): Promise<void>
}

/** Nothing listens, every target is well: for benches of the API alone. */
export const noForwarding: Forwarding = {
  prepare: async () => {},
  apply: async () => {},
  healthOf: ({ healthCheck }) => (healthCheck.isOn ? 'Alive' : 'Close'),
  listeningOf: () => undefined,
  close: async () => {},
}
