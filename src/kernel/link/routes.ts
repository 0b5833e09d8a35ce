import type { Exec } from '../../host/index.ts'
import { type InstanceTag, routeMetric } from './instance.ts'
import type { IpTool } from './ip-tool.ts'

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
  return {
    ensureLocal: async (cidr) => void (await exec(local('replace', cidr))),
    removeLocal: async (cidr) => void (await exec(local('del', cidr), { okCodes: [0, NO_SUCH_ROUTE] })),
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

const familyFlag = (cidr: string): '-4' | '-6' => (cidr.includes(':') ? '-6' : '-4')
