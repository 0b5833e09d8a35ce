import type { FrontendValue } from './layout.ts'
import {
  type FilledMap,
  FLAG,
  LOCAL_SLOTS,
  MEMBER,
  readFrontendKey,
  readFrontendValue,
  readMemberKey,
  readPortKey,
  readPortValue,
  readSlotKey,
  readSlotValue,
} from './layout.ts'

/** An element's key as people read it, in the manner of `nft`: `10.96.0.10 . tcp . 80`. */
export const keyText = (map: FilledMap, key: string): string => {
  switch (map) {
    case 'frontends': {
      const { address, protocol, port } = readFrontendKey(key)
      return `${address} . ${protocol.toLowerCase()} . ${port}`
    }
    case 'ports':
      return String(readPortKey(key))
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
    case 'ports': {
      const { cluster, local, affinitySeconds } = readPortValue(value)
      return `${cluster} cluster, ${local} local${affinitySeconds === 0 ? '' : `, affinity ${affinitySeconds}s`}`
    }
    case 'slots': {
      const { address, port } = readSlotValue(value)
      return `${address} . ${port}`
    }
    case 'members': {
      const sets = value.charCodeAt(0)
      return [(sets & MEMBER.cluster) === 0 ? [] : 'cluster', (sets & MEMBER.local) === 0 ? [] : 'local'].flat().join(', ')
    }
    default:
      return map satisfies never
  }
}

const frontendText = ({ id, flags }: FrontendValue): string => {
  const of = (who: string, served: number, local: number): readonly string[] =>
    (flags & served) === 0 ? [] : [`${who} ${(flags & local) === 0 ? 'cluster' : 'local'}`]
  return [`port ${id}`, ...of('node', FLAG.node, FLAG.nodeLocal), ...of('others', FLAG.others, FLAG.othersLocal)].join(', ')
}
