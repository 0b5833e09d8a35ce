import type { Exec } from '../../host/index.ts'
import { type InstanceTag, routeMetric } from './instance.ts'
import type { IpCommand, IpTool } from './ip-tool.ts'

/** A range behind a device of this machine. */
export interface DeviceRoute {
  readonly cidr: string
  readonly device: string
  /** The address that processes of this machine have, seen from there. */
  readonly source: string
}

/** Routes have no names: those of an instance are found by their protocol and metric. */
export interface Routes {
  ensureLocal(cidr: string): Promise<void>
  removeLocal(cidr: string): Promise<void>
  ensureVia(route: DeviceRoute): Promise<void>
  removeVia(cidr: string): Promise<void>
  /** Ranges. */
  list(table: 'local' | 'main'): Promise<readonly string[]>
}

/** rtnetlink's routing protocol numbers above 4 are free for administrators' programs. */
const PROTOCOL = '155'
/** What `ip route del` answers for a route that isn't there. */
const NO_SUCH_ROUTE = 2

export const createRoutes = (exec: Exec, ip: IpTool, tag: InstanceTag): Routes => {
  const metric = routeMetric(tag)
  const mark = ['proto', PROTOCOL, 'metric', String(metric)]
  const local = (verb: 'replace' | 'del', cidr: string): readonly [string, ...string[]] => {
    const route = ['route', verb, 'local', cidr, 'dev', 'lo']
    return ['ip', familyFlag(cidr), ...route, ...mark]
  }
  const hostRoute = (verb: 'replace' | 'del', cidr: string): IpCommand => ['route', verb, 'local', cidr, 'dev', 'lo', ...mark]
  return {
    async ensureLocal(cidr) {
      if (!isHostOfIPv6(cidr)) return void (await exec(local('replace', cidr)))
      // The route tells whose the address is. Deprecated, it is no source for what this machine sends of itself.
      const address = ['addr', 'replace', cidr, 'dev', 'lo', 'nodad', 'valid_lft', 'forever', 'preferred_lft', '0']
      await ip.batch([hostRoute('replace', cidr), address])
    },
    async removeLocal(cidr) {
      if (!isHostOfIPv6(cidr)) return void (await exec(local('del', cidr), { okCodes: [0, NO_SUCH_ROUTE] }))
      await ip.batch([['addr', 'del', cidr, 'dev', 'lo'], hostRoute('del', cidr)], { keepGoing: true })
    },
    ensureVia: async ({ cidr, device, source }) =>
      void (await exec(['ip', familyFlag(cidr), 'route', 'replace', cidr, 'dev', device, 'src', source, ...mark])),
    removeVia: async (cidr) =>
      void (await exec(['ip', familyFlag(cidr), 'route', 'del', cidr, ...mark], { okCodes: [0, NO_SUCH_ROUTE] })),
    async list(table) {
      const routes = await Promise.all(
        ['-4', '-6'].map((family) => ip.show([family, 'route', 'show', 'table', table, 'proto', PROTOCOL])),
      )
      return routes
        .flat()
        .filter((entry) => entry['metric'] === metric)
        .map((entry) => String(entry['dst']))
    },
  }
}

/** Sockets bind what a local route covers in IPv4 only; for IPv6 the address itself must be there. `ip route` leaves out the prefix. */
const isHostOfIPv6 = (cidr: string): boolean => cidr.includes(':') && (cidr.endsWith('/128') || !cidr.includes('/'))

const familyFlag = (cidr: string): '-4' | '-6' => (cidr.includes(':') ? '-6' : '-4')
