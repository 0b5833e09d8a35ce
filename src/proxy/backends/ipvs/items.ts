import type { IPFamily } from '../../../ip/index.ts'
import type { Member } from '../../../kernel/ipset/index.ts'
import { type RealServer, realText, type ServerAddress, serverText, type VirtualServer } from '../../../kernel/ipvs/index.ts'
import type { Redirect } from './chains.ts'

/** One thing that is wanted in the kernel; several Services may want the same. */
export type Item =
  | { readonly kind: 'member'; readonly member: Member }
  /** On the dummy device. */
  | { readonly kind: 'address'; readonly address: string }
  | { readonly kind: 'server'; readonly server: VirtualServer }
  | { readonly kind: 'real'; readonly server: ServerAddress; readonly real: RealServer }
  | { readonly kind: 'redirect'; readonly redirect: Redirect }

/** What names the thing: two items with one id are the same thing, with the same value or another. */
export const idOf = (item: Item): string => {
  switch (item.kind) {
    case 'member':
      return `member ${item.member.set} ${item.member.entry}`
    case 'address':
      return `address ${item.address}`
    case 'server':
      return `server ${serverText(item.server)}`
    case 'real':
      return `real ${serverText(item.server)} ${realText(item.real)}`
    case 'redirect': {
      const { source, protocol, address, port } = item.redirect
      return `redirect ${source} ${protocol} ${realText({ address, port })}`
    }
    default:
      return item satisfies never
  }
}

/** What it is like; empty where it is only there or not. */
export const valueOfItem = (item: Item): string => {
  switch (item.kind) {
    case 'member':
    case 'address':
      return ''
    case 'server': {
      const { scheduler, persistentSeconds, others } = item.server
      return [scheduler, ...(persistentSeconds === undefined ? [] : [`-p ${persistentSeconds}`]), others ?? ''].join(' ').trim()
    }
    case 'real':
      return [item.real.weight, item.real.others ?? ''].join(' ').trim()
    case 'redirect':
      return item.redirect.to
    default:
      return item satisfies never
  }
}

/** As the mode's tools would print it. */
export const itemText = (item: Item): string => {
  switch (item.kind) {
    case 'member':
      return `member ${item.member.entry} of set ${item.member.set}`
    case 'address':
      return `address ${item.address} on kube-ipvs0`
    case 'server':
      return `virtual server ${serverText(item.server)}`
    case 'real':
      return `real server ${realText(item.real)} of virtual server ${serverText(item.server)}`
    case 'redirect':
      return `redirect of ${item.redirect.protocol} ${realText(item.redirect)} to ${item.redirect.to}`
    default:
      return item satisfies never
  }
}

export const familyOfAddress = (address: string): IPFamily => (address.includes(':') ? 'IPv6' : 'IPv4')
