import type { Caller } from './caller.ts'
import { type Json, textsIn } from './json.ts'
import type { GroupSettings } from './model.ts'
import { certificateParams, chunks, settingsParams } from './params.ts'

export interface NewRule {
  readonly domain: string
  readonly url: string
  readonly certificates: readonly string[]
  readonly settings: GroupSettings
}

const MAX_RULES = 50

export const ruleCalls = (caller: Caller) => ({
  async createRules(id: string, listenerId: string, rules: readonly NewRule[], signal: AbortSignal): Promise<readonly string[]> {
    const ids: string[] = []
    for (const some of chunks(rules, MAX_RULES)) {
      const params = { LoadBalancerId: id, ListenerId: listenerId, Rules: some.map(ruleParams) }
      const { response } = await caller.write(id, { service: 'clb', action: 'CreateRule', params }, signal)
      ids.push(...textsIn(response, 'LocationIds'))
    }
    return ids
  },
  async modifyRule(id: string, rule: RuleName, settings: GroupSettings, signal: AbortSignal): Promise<void> {
    const params = { LoadBalancerId: id, ListenerId: rule.listenerId, LocationId: rule.locationId, ...settingsParams(settings) }
    await caller.write(id, { service: 'clb', action: 'ModifyRule', params }, signal)
  },
  /** A certificate belongs to the domain, in whichever rules that is. */
  async modifyDomain(id: string, domain: DomainName, certificates: readonly string[], signal: AbortSignal): Promise<void> {
    const params = {
      LoadBalancerId: id,
      ListenerId: domain.listenerId,
      Domain: domain.domain,
      ...certificateParams(certificates),
    }
    await caller.write(id, { service: 'clb', action: 'ModifyDomainAttributes', params }, signal)
  },
  async deleteRules(id: string, listenerId: string, locationIds: readonly string[], signal: AbortSignal): Promise<void> {
    if (locationIds.length === 0) return
    const params = { LoadBalancerId: id, ListenerId: listenerId, LocationIds: locationIds }
    await caller.write(id, { service: 'clb', action: 'DeleteRule', params }, signal)
  },
})

export interface RuleName {
  readonly listenerId: string
  readonly locationId: string
}

export interface DomainName {
  readonly listenerId: string
  readonly domain: string
}

const ruleParams = ({ domain, url, certificates, settings }: NewRule): Json => ({
  Domain: domain,
  Url: url,
  ...certificateParams(certificates),
  ...settingsParams(settings),
})
