import { fieldsOf, itemsOf, json, numberOf, type Parser, ShapeError, textOf } from './reading.ts'

/** `lb-rs-weight`: weights of targets, as a whole and by the ordinals of StatefulSets' pods. */
export interface CustomWeights {
  readonly defaultWeight: number | undefined
  readonly groups: readonly WeightGroup[]
}

interface WeightGroup {
  /** The Service's port. */
  readonly protocol: string
  readonly port: number
  /** By the pod's name. */
  readonly byPod: ReadonlyMap<string, number>
}

const WEIGHT = [0, 100] as const
const MAX_PODS = 2_000

export const customWeights: Parser<CustomWeights> = json((found) => {
  const { defaultWeight, groups = [] } = fieldsOf(found, 'it', ['defaultWeight', 'groups'])
  const read = itemsOf(groups, 'groups').map((group, index) => readGroup(group, `groups[${index}]`))
  const keys = read.map(({ protocol, port }) => `${protocol} ${port}`)
  if (new Set(keys).size < keys.length) throw new ShapeError('groups has a port twice')
  return {
    defaultWeight: defaultWeight === undefined ? undefined : numberOf(defaultWeight, 'defaultWeight', WEIGHT),
    groups: read,
  }
})

const readGroup = (found: unknown, at: string): WeightGroup => {
  const { key, statefulSets = [] } = fieldsOf(found, at, ['key', 'statefulSets'])
  const { proto, port } = fieldsOf(key, `${at}.key`, ['proto', 'port'])
  const byPod = new Map<string, number>()
  itemsOf(statefulSets, `${at}.statefulSets`).forEach((set, index) => {
    readSet(set, `${at}.statefulSets[${index}]`, byPod)
  })
  if (byPod.size > MAX_PODS) throw new ShapeError(`${at} has more than ${MAX_PODS} pods`)
  return { protocol: textOf(proto, `${at}.key.proto`, /^(TCP|UDP)$/), port: numberOf(port, `${at}.key.port`, [1, 65_535]), byPod }
}

const readSet = (found: unknown, at: string, byPod: Map<string, number>): void => {
  const { name, weights } = fieldsOf(found, at, ['name', 'weights'])
  const set = textOf(name, `${at}.name`, /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/)
  itemsOf(weights, `${at}.weights`).forEach((each, index) => {
    const where = `${at}.weights[${index}]`
    const { weight, podIndexes } = fieldsOf(each, where, ['weight', 'podIndexes'])
    const read = numberOf(weight, `${where}.weight`, WEIGHT)
    for (const ordinal of itemsOf(podIndexes, `${where}.podIndexes`))
      byPod.set(`${set}-${numberOf(ordinal, `${where}.podIndexes`, [0, 1_000_000])}`, read)
  })
}
