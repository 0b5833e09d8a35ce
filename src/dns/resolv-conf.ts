import { isIP } from 'node:net'
import type { Upstream } from './forward.ts'

/** The name servers of a resolv.conf text (resolv.conf(5)); lines that are not understood are skipped, `own` addresses too. */
export const parseNameServers = (text: string, own: readonly string[] = []): readonly Upstream[] =>
  text
    .split('\n')
    .map((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1])
    .filter((address): address is string => address !== undefined && isIP(address) !== 0 && !own.includes(address))
    .map((address) => ({ address, port: 53 }))
