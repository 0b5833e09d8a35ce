/** Limits of an account, by the cloud's names; `DELETIONS_IN_5_MINUTES` is one that the cloud doesn't list. */
export interface Quotas {
  readonly TOTAL_OPEN_CLB_QUOTA: number
  readonly TOTAL_INTERNAL_CLB_QUOTA: number
  readonly TOTAL_LISTENER_QUOTA: number
  readonly TOTAL_LISTENER_RULE_QUOTA: number
  readonly TOTAL_TARGET_BIND_QUOTA: number
  readonly DELETIONS_IN_5_MINUTES: number
}

export const defaultQuotas: Quotas = {
  TOTAL_OPEN_CLB_QUOTA: 100,
  TOTAL_INTERNAL_CLB_QUOTA: 100,
  TOTAL_LISTENER_QUOTA: 50,
  TOTAL_LISTENER_RULE_QUOTA: 50,
  TOTAL_TARGET_BIND_QUOTA: 200,
  DELETIONS_IN_5_MINUTES: 30,
}

export const isQuota = (name: string): name is keyof Quotas => Object.hasOwn(defaultQuotas, name)
