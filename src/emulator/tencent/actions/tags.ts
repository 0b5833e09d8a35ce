import { CloudError } from '../errors.ts'
import { list, type Of, optional, record, text, whole } from '../shape.ts'
import type { Event, State } from '../state.ts'
import { type Action, action, answer, type Context, type Outcome } from './action.ts'
import { fromTags, tagKey, tagList, tagValue } from './tag-list.ts'

const resources = list(text({ max: 256 }), 1, 10)
const MAX_TAGS = 50

/** `qcs::clb:REGION:uin/UIN:clb/ID`; load balancers are all that has tags here. */
const resourceName = (id: string, { region, uin }: Context): string => `qcs::clb:${region}:uin/${uin}:clb/${id}`

/** The load balancer that a six-segment name means; an error text when it means none. */
const loadBalancerNamed = (
  state: State,
  resource: string,
  { region, uin }: Context,
): { readonly id: string } | { readonly problem: string } => {
  const parts = resource.split(':')
  const [qcs, , service, where, account, last] = parts
  if (parts.length !== 6 || qcs !== 'qcs')
    throw new CloudError('InvalidParameterValue.ResourceDescriptionError', `${resource} is not a six-segment name.`)
  if (service !== 'clb') return { problem: `the emulator tags resources of clb, not of ${service}` }
  if (where !== region) return { problem: `the region is ${region}, not ${where}` }
  if (account !== `uin/${uin}` && account !== '') return { problem: `the account is ${uin}` }
  const id = last?.startsWith('clb/') ? last.slice('clb/'.length) : ''
  return state.loadBalancers.has(id) ? { id } : { problem: `${last} does not exist` }
}

/** Applies `change` to each resource that there is; the others are named in the answer. */
const onEach = (
  state: State,
  { list: names, context }: { readonly list: readonly string[]; readonly context: Context },
  change: (tags: Readonly<Record<string, string>>) => Readonly<Record<string, string>>,
): Outcome => {
  const events: Event[] = []
  const failed: unknown[] = []
  for (const resource of new Set(names)) {
    const found = loadBalancerNamed(state, resource, context)
    if ('problem' in found) {
      failed.push({ Resource: resource, Code: 'ResourceNotFound', Message: found.problem })
      continue
    }
    const to = change(state.tags.get(found.id) ?? {})
    if (Object.keys(to).length > MAX_TAGS)
      failed.push({ Resource: resource, Code: 'LimitExceeded.Tag', Message: `at most ${MAX_TAGS} tags` })
    else events.push({ tags: found.id, to })
  }
  return { response: { FailedResources: failed }, events }
}

const addition = record({ ResourceList: resources, Tags: tagList(10) })

const add = (state: State, { ResourceList, Tags }: Of<typeof addition>, context: Context): Outcome =>
  onEach(state, { list: ResourceList, context }, (tags) => ({
    ...tags,
    ...Object.fromEntries(Tags.map(({ TagKey, TagValue }) => [TagKey, TagValue])),
  }))

const removal = record({ ResourceList: resources, TagKeys: list(tagKey, 1, 10) })

const remove = (state: State, { ResourceList, TagKeys }: Of<typeof removal>, context: Context): Outcome =>
  onEach(state, { list: ResourceList, context }, (tags) =>
    Object.fromEntries(Object.entries(tags).filter(([key]) => !TagKeys.includes(key))),
  )

const query = record({
  ResourceList: optional(list(text({ max: 256 }), 0, 50)),
  TagFilters: optional(list(record({ TagKey: tagKey, TagValue: optional(list(tagValue, 0, 10)) }), 0, 10)),
  PaginationToken: optional(text({ min: 0 })),
  MaxResults: optional(whole(1, 200)),
})

const find = (state: State, request: Of<typeof query>, context: Context): Outcome => {
  const { ResourceList: names = [], TagFilters: filters = [], MaxResults = 50 } = request
  const offset = Number(request.PaginationToken || 0)
  if (!Number.isInteger(offset) || offset < 0) throw new CloudError('InvalidParameter', 'The PaginationToken is none of ours.')
  const found = [...state.loadBalancers.keys()]
    .map((id) => ({ resource: resourceName(id, context), tags: state.tags.get(id) ?? {} }))
    .filter(({ resource }) => names.length === 0 || names.includes(resource))
    .filter(({ tags }) => filters.every(({ TagKey, TagValue }) => hasTag(tags, TagKey, TagValue ?? [])))
  const next = offset + MaxResults
  return answer({
    PaginationToken: next < found.length ? String(next) : '',
    ResourceTagMappingList: found.slice(offset, next).map(({ resource, tags }) => ({ Resource: resource, Tags: fromTags(tags) })),
  })
}

const hasTag = (tags: Readonly<Record<string, string>>, key: string, values: readonly string[]): boolean =>
  Object.hasOwn(tags, key) && (values.length === 0 || values.includes(tags[key] ?? ''))

export const tagActions: Readonly<Record<string, Action>> = {
  TagResources: action(addition, add),
  UnTagResources: action(removal, remove),
  GetResources: action(query, find),
}
