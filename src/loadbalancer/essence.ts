import { createHash } from 'node:crypto'
import { PLACEMENT_ANNOTATION } from './placement.ts'
import type { DesiredLoadBalancer } from './provider.ts'

/** Prints of what is wanted: what users write, and what follows from nodes and pods. Equal ones mean that there is nothing to do. */
export interface Essence {
  readonly intent: string
  readonly nodes: string
  readonly endpoints: string
}

export const sameEssence = (a: Essence, b: Essence): boolean =>
  a.intent === b.intent && a.nodes === b.nodes && a.endpoints === b.endpoints

/** The status is left out: it is the answer, not the question. */
export const essenceOf = ({ key, token, clusterId, owners, nodes }: DesiredLoadBalancer): Essence => ({
  intent: print([
    key,
    token,
    clusterId,
    owners.map(({ ingress: _, listeners, annotations, ...owner }) => [
      owner,
      meaning(annotations),
      listeners.map(({ endpoints: __, ...listener }) => listener),
    ]),
  ]),
  nodes: printOnce(nodes),
  endpoints: print(owners.map(({ listeners }) => listeners.map(({ endpoints }) => endpoints))),
})

/** Notes of kubectl and of this controller are no wishes. */
const NOTES = new Set([PLACEMENT_ANNOTATION, 'kubectl.kubernetes.io/last-applied-configuration'])

const meaning = (annotations: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(annotations).filter(([name]) => !NOTES.has(name)))

/** The order of keys is that in which desired.ts makes them; those of users' maps are sorted. */
const print = (value: unknown): string => createHash('sha256').update(JSON.stringify(value, sorted)).digest('base64')

const sorted = (_key: string, value: unknown): unknown => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}

const prints = new WeakMap<object, string>()

/** The nodes are one list for all load balancers. */
const printOnce = (value: object): string => {
  const known = prints.get(value)
  if (known !== undefined) return known
  const made = print(value)
  prints.set(value, made)
  return made
}
