import { type Endpoint, type EndpointSlice, type Kind, type KubeObject, type SlicePort, sameValue } from '../../api/index.ts'
import type { NewObject } from '../../client/index.ts'
import type { IPFamily } from '../../ip/index.ts'
import { controllerReference, isControlledBy } from '../ownership.ts'
import { type DesiredEndpoints, type EndpointGroup, portsKey } from './desired.ts'

export type SliceOperation =
  | { readonly type: 'create'; readonly slice: NewObject<EndpointSlice> }
  | { readonly type: 'update'; readonly slice: EndpointSlice }
  | { readonly type: 'delete'; readonly slice: EndpointSlice }

export interface DiffOptions {
  readonly maxEndpointsPerSlice: number
  /** One empty slice when there is no endpoint, so that "none" can be told from "not known yet". */
  readonly placeholder: boolean
}

/** Whose slices they are, and what is written on each. */
export interface SliceOwner {
  readonly kind: Kind
  readonly object: KubeObject
  readonly labels: Readonly<Record<string, string>>
  /** Beside those that others wrote. */
  readonly annotations?: Readonly<Record<string, string>>
}

/**
 * The fewest writes that make `slices` hold exactly the desired endpoints. An endpoint stays in its slice; new ones go where a write
 * happens anyway, then into the fullest slice with room, then into new slices; nothing moves for the sake of balance.
 */
export const diffSlices = (
  { owner, slices }: { readonly owner: SliceOwner; readonly slices: readonly EndpointSlice[] },
  desired: DesiredEndpoints,
  options: DiffOptions,
): readonly SliceOperation[] => {
  const live = slices.filter(({ metadata }) => metadata.deletionTimestamp === undefined).sort(byAgeAndName)
  const isWanted = ({ addressType }: EndpointSlice): boolean => desired.addressTypes.some((type) => type === addressType)
  const operations = desired.addressTypes.flatMap((addressType) =>
    ofAddressType(
      {
        owner,
        addressType,
        slices: live.filter((slice) => slice.addressType === addressType),
        groups: desired.groups.filter((group) => group.addressType === addressType),
      },
      options,
    ),
  )
  const obsolete = live.filter((slice) => !isWanted(slice)).map((slice) => ({ type: 'delete' as const, slice }))
  return [...operations, ...obsolete]
}

interface OneFamily {
  readonly owner: SliceOwner
  readonly addressType: IPFamily
  readonly slices: readonly EndpointSlice[]
  readonly groups: readonly EndpointGroup[]
}

/** A slice on its way to its new content. */
interface Draft {
  /** The slice that is there; undefined for a new one. */
  readonly slice: EndpointSlice | undefined
  readonly ports: readonly SlicePort[]
  endpoints: readonly Endpoint[]
  changed: boolean
}

const ofAddressType = ({ owner, addressType, slices, groups }: OneFamily, options: DiffOptions): readonly SliceOperation[] => {
  const byPorts = groupByPorts(slices)
  const drafts: Draft[] = []
  for (const group of groups) {
    const key = portsKey(group.ports)
    drafts.push(...draftsOf(owner, group, { slices: byPorts.get(key) ?? [], options }))
    byPorts.delete(key)
  }
  const unused = [...byPorts.values()].flat()
  const spare = [...unused, ...drafts.flatMap(({ slice, endpoints }) => (slice && endpoints.length === 0 ? [slice] : []))]
  const filled = drafts.filter(({ endpoints }) => endpoints.length > 0)
  const placeholder = filled.length === 0 && options.placeholder ? [placeholderOf(owner, spare)] : []
  return operationsOf(owner, addressType, { drafts: [...filled, ...placeholder], spare })
}

const keyOfSlice = ({ ports }: EndpointSlice): string => portsKey(ports ?? [])

const draftsOf = (
  owner: SliceOwner,
  group: EndpointGroup,
  { slices, options }: { readonly slices: readonly EndpointSlice[]; readonly options: DiffOptions },
): readonly Draft[] => {
  const left = new Map(group.endpoints.map((endpoint) => [identity(endpoint), endpoint]))
  const drafts = slices.map((slice): Draft => {
    const endpoints = (slice.endpoints ?? []).flatMap((endpoint) => {
      const wanted = left.get(identity(endpoint))
      left.delete(identity(endpoint))
      return wanted ? [sameValue(wanted, endpoint) ? endpoint : wanted] : []
    })
    return {
      slice,
      ports: group.ports,
      endpoints,
      changed: !sameList(endpoints, slice.endpoints ?? []) || !hasOurMetadata(owner, slice),
    }
  })
  return place(drafts, { ports: group.ports, waiting: [...left.values()], max: options.maxEndpointsPerSlice })
}

const place = (
  drafts: readonly Draft[],
  { ports, waiting, max }: { readonly ports: readonly SlicePort[]; readonly waiting: Endpoint[]; readonly max: number },
): readonly Draft[] => {
  const room = ({ endpoints }: Draft): number => max - endpoints.length
  const fill = (draft: Draft): void => {
    const taken = waiting.splice(0, Math.max(0, room(draft)))
    if (taken.length === 0) return
    draft.endpoints = [...draft.endpoints, ...taken]
    draft.changed = true
  }
  for (const draft of drafts) if (draft.changed) fill(draft)
  const created: Draft[] = []
  while (waiting.length > 0) {
    const fits = drafts.filter((draft) => !draft.changed && draft.endpoints.length > 0 && room(draft) >= waiting.length)
    const fullest = fits.sort((a, b) => room(a) - room(b))[0]
    const target: Draft = fullest ?? { slice: undefined, ports, endpoints: [], changed: true }
    if (!fullest) created.push(target)
    fill(target)
  }
  return [...drafts, ...created]
}

const placeholderOf = (owner: SliceOwner, spare: EndpointSlice[]): Draft => {
  const index = spare.findIndex((slice) => isPlaceholder(slice) && hasOurMetadata(owner, slice))
  const [slice] = index < 0 ? [] : spare.splice(index, 1)
  return { slice, ports: [], endpoints: [], changed: slice === undefined }
}

const isPlaceholder = ({ endpoints, ports }: EndpointSlice): boolean =>
  (endpoints ?? []).length === 0 && (ports ?? []).length === 0

const operationsOf = (
  owner: SliceOwner,
  addressType: IPFamily,
  { drafts, spare }: { readonly drafts: readonly Draft[]; readonly spare: readonly EndpointSlice[] },
): readonly SliceOperation[] => {
  const reusable = [...spare]
  const operations = drafts
    .filter(({ changed }) => changed)
    .map(({ slice, ports, endpoints }): SliceOperation => {
      // A create and a delete of the same address type are one update.
      const base = slice ?? reusable.shift()
      const content = { addressType, ports, endpoints }
      return base ? { type: 'update', slice: updated(owner, base, content) } : { type: 'create', slice: created(owner, content) }
    })
    // Nothing new for a Service that is being deleted: its slices go with it.
    .filter(({ type }) => type !== 'create' || owner.object.metadata.deletionTimestamp === undefined)
  return [...operations, ...reusable.map((slice) => ({ type: 'delete' as const, slice }))]
}

type Content = Pick<EndpointSlice, 'ports' | 'endpoints'> & { readonly addressType: IPFamily }

const created = (owner: SliceOwner, content: Content): NewObject<EndpointSlice> => ({
  metadata: {
    name: '',
    // Names have up to 63 characters as a label has; the suffix takes 6.
    generateName: `${owner.object.metadata.name.slice(0, 56)}-`,
    ...(owner.object.metadata.namespace === undefined ? {} : { namespace: owner.object.metadata.namespace }),
    labels: owner.labels,
    ...(owner.annotations ? { annotations: owner.annotations } : {}),
    ownerReferences: [controllerReference(owner.kind, owner.object)],
  },
  ...content,
})

const updated = (owner: SliceOwner, slice: EndpointSlice, { ports, endpoints }: Content): EndpointSlice => ({
  ...slice,
  ports,
  endpoints,
  metadata: {
    ...slice.metadata,
    labels: owner.labels,
    ...(owner.annotations ? { annotations: { ...slice.metadata.annotations, ...owner.annotations } } : {}),
    ownerReferences: isControlledBy(slice, owner.object)
      ? slice.metadata.ownerReferences
      : [controllerReference(owner.kind, owner.object)],
  },
})

const hasOurMetadata = (owner: SliceOwner, slice: EndpointSlice): boolean =>
  sameValue(slice.metadata.labels, owner.labels) &&
  Object.entries(owner.annotations ?? {}).every(([key, value]) => slice.metadata.annotations?.[key] === value) &&
  isControlledBy(slice, owner.object)

/** A pod keeps its endpoint through changes of conditions; another pod at the same address is another endpoint. */
const identity = ({ addresses, targetRef }: Endpoint): string => JSON.stringify([addresses, targetRef?.uid, targetRef?.name])

const sameList = (a: readonly Endpoint[], b: readonly Endpoint[]): boolean =>
  a.length === b.length && a.every((endpoint, index) => endpoint === b[index])

const groupByPorts = (slices: readonly EndpointSlice[]): Map<string, EndpointSlice[]> => {
  const groups = new Map<string, EndpointSlice[]>()
  for (const slice of slices) groups.set(keyOfSlice(slice), [...(groups.get(keyOfSlice(slice)) ?? []), slice])
  return groups
}

const byAgeAndName = (a: EndpointSlice, b: EndpointSlice): number => {
  const [left, right] = [a, b].map(({ metadata }) => `${metadata.creationTimestamp ?? ''} ${metadata.name}`)
  return left === right ? 0 : (left ?? '') < (right ?? '') ? -1 : 1
}
