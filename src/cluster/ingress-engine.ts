import { createEngine, type Engine, type RunningEngine } from '../l7/index.ts'
import type { DataPlaneDeps } from './deps.ts'
import { choosePort } from './ports.ts'

export interface IngressEngine {
  readonly engine: Engine
  readonly running: RunningEngine
}

/** Starts the HTTP engine on the Ingress' ports, or on substitutes where this user may not have them. */
export const startIngressEngine = async (deps: DataPlaneDeps): Promise<IngressEngine> => {
  const { options, lifecycle, clock, log, writer } = deps
  const { address, httpPort, httpsPort, workers } = options.ingress
  const { firstBindablePort } = options
  const http = await choosePort({ what: 'ingress http', address, port: httpPort, firstBindablePort })
  const https = await choosePort({ what: 'ingress https', address, port: httpsPort, firstBindablePort })
  const engine = createEngine({
    http: { address, port: http.port, flag: '--ingress-http' },
    https: { address, port: https.port, flag: '--ingress-https' },
    workers,
    log,
    clock,
  })
  const running = await lifecycle.start(engine)
  const substitutions = [http, https].flatMap(({ substitution }) => substitution ?? [])
  writer.update({
    ingress: { http: `http://${hostOf(address)}:${running.http}`, https: `https://${hostOf(address)}:${running.https}` },
    substitutions: [...writer.current().substitutions, ...substitutions],
  })
  return { engine, running }
}

const hostOf = (address: string): string => {
  if (address === '0.0.0.0') return '127.0.0.1'
  return address.includes(':') ? `[${address}]` : address
}
