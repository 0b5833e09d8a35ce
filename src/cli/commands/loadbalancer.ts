import { createLogger, realClock, UserError } from '../../base/index.ts'
import { runLoadBalancer } from '../loadbalancer/run.ts'
import { type GivenFlags, readSettings } from '../loadbalancer/settings.ts'
import { untilSignalled } from '../until-signalled.ts'

/** `fairway loadbalancer`: the service controller for any API server, in the foreground until SIGINT or SIGTERM. */
export const loadbalancer = async (given: GivenFlags): Promise<void> => {
  const result = readSettings(given, process.env)
  if (result.kind === 'problems') {
    throw new UserError(result.problems.map(({ flag, reason }) => `${flag} ${reason}`).join('; '), { exitCode: 2 })
  }
  const { settings } = result
  const log = createLogger({ level: settings.logLevel })
  const onReady = (): void => console.log(`ready. provider ${settings.provider.name}, cluster ${settings.clusterId}`)
  await untilSignalled((signal) => runLoadBalancer({ settings, env: process.env, clock: realClock, log, onReady }, signal))
}
