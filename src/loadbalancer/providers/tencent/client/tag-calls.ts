import type { Caller } from './caller.ts'
import { CloudError, failureOf } from './errors.ts'
import { recordsIn, textIn } from './json.ts'
import { tagParams } from './params.ts'
import type { Answer } from './transport.ts'

export interface TagOptions {
  readonly region: string
  /** The account that owns the resources; the caller's own when left out. */
  readonly uin?: string
}

export const tagCalls = (caller: Caller, { region, uin }: TagOptions) => {
  const resource = (id: string): string => `qcs::clb:${region}:${uin === undefined ? '' : `uin/${uin}`}:clb/${id}`
  return {
    /** Sets these tags and leaves the others. */
    async tagLoadBalancer(id: string, tags: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void> {
      const params = { ResourceList: [resource(id)], Tags: tagParams(tags) }
      checkAll(await caller.repeatable({ service: 'tag', action: 'TagResources', params }, signal), 'TagResources')
    },
    async untagLoadBalancer(id: string, keys: readonly string[], signal: AbortSignal): Promise<void> {
      const params = { ResourceList: [resource(id)], TagKeys: keys }
      checkAll(await caller.repeatable({ service: 'tag', action: 'UnTagResources', params }, signal), 'UnTagResources')
    },
  }
}

/** Answered as a success although some resources have failed. */
const checkAll = ({ response }: Answer, action: string): void => {
  const [failed] = recordsIn(response, 'FailedResources')
  if (failed === undefined) return
  const code = textIn(failed, 'Code') ?? ''
  throw new CloudError(failureOf(code), `${action}: ${code}: ${textIn(failed, 'Message') ?? ''}`, { action, code })
}
