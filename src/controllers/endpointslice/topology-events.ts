import type { Service } from '../../api/index.ts'
import type { EventRecorder } from '../../client/index.ts'
import type { TopologyState } from './hints.ts'

/** Tells of each Service of topology mode Auto when its hints come or go, under the reasons that KEP-2433 names. */
export interface TopologyTeller {
  tell(key: string, service: Service, state: TopologyState | undefined): void
  forget(key: string): void
}

export const createTopologyTeller = (events: Pick<EventRecorder, 'event'>): TopologyTeller => {
  const told = new Map<string, string>()
  return {
    tell(key, service, state) {
      const text = state === undefined ? '' : state.kind === 'enabled' ? state.kind : state.why
      if ((told.get(key) ?? '') === text) return
      if (text === '') told.delete(key)
      else told.set(key, text)
      if (state === undefined) return
      const event =
        state.kind === 'enabled'
          ? { type: 'Normal' as const, reason: 'TopologyAwareHintsEnabled', message: 'endpoints are shared out to zones' }
          : { type: 'Warning' as const, reason: 'TopologyAwareHintsDisabled', message: `no hints: ${state.why}` }
      events.event(service, event)
    },
    forget: (key) => void told.delete(key),
  }
}
