import type { FrontendValue } from './layout.ts'
import {
  type FilledMap,
  FLAG,
  LOCAL_SLOTS,
  MEMBER,
  readEndpoint,
  readFrontendKey,
  readFrontendValue,
  readMemberKey,
  readSlotKey,
} from './layout.ts'

/** An element's key as people read it, in the manner of `nft`: `10.96.0.10 . tcp . 80`. */
export const keyText = (map: FilledMap, key: string): string => {
  switch (map) {
    case 'frontends': {
      const { address, protocol, port } = readFrontendKey(key)
      return `${address} . ${protocol.toLowerCase()} . ${port}`
    }
    case 'slots': {
      const { id, slot } = readSlotKey(key)
      return `${id} . ${slot >= LOCAL_SLOTS ? `local ${slot - LOCAL_SLOTS}` : slot}`
    }
    case 'members': {
      const { id, address, port } = readMemberKey(key)
      return `${id} . ${address} . ${port}`
    }
    default:
      return map satisfies never
  }
}

export const valueText = (map: FilledMap, value: string): string => {
  switch (map) {
    case 'frontends':
      return frontendText(readFrontendValue(value))
    case 'slots': {
      return endpointText(value)
    }
    case 'members': {
      const sets = value.charCodeAt(0)
      return [(sets & MEMBER.cluster) === 0 ? [] : 'cluster', (sets & MEMBER.local) === 0 ? [] : 'local'].flat().join(', ')
    }
    default:
      return map satisfies never
  }
}

const endpointText = (bytes: string): string => {
  const { address, port } = readEndpoint(bytes)
  return `${address} . ${port}`
}

const frontendText = ({ id, flags, cluster, local, affinitySeconds, inline }: FrontendValue): string => {
  const of = (who: string, served: number, isLocal: number): readonly string[] =>
    (flags & served) === 0 ? [] : [`${who} ${(flags & isLocal) === 0 ? 'cluster' : 'local'}`]
  return [
    `port ${id}`,
    ...of('node', FLAG.node, FLAG.nodeLocal),
    ...of('pods', FLAG.pod, FLAG.podLocal),
    `${cluster} cluster${inline.map((endpoint) => ` ${endpointText(endpoint)}`).join('')}`,
    `${local} local`,
    ...(affinitySeconds === 0 ? [] : [`affinity ${affinitySeconds}s`]),
  ].join(', ')
}
