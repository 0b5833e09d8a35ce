import { createLogger, realClock, UserError } from '../../base/index.ts'
import { runIngress } from '../ingress/run.ts'
import { type GivenFlags, readSettings } from '../ingress/settings.ts'
import { untilSignalled } from '../until-signalled.ts'

/** `fairway ingress`: an Ingress controller for any API server, in the foreground until SIGINT or SIGTERM. */
export const ingress = async (given: GivenFlags): Promise<void> => {
  const { settings, problems } = readSettings(given, process.env)
  if (problems.length > 0)
    throw new UserError(problems.map(({ flag, reason }) => `${flag} ${reason}`).join('; '), { exitCode: 2 })
  const log = createLogger({ level: settings.logLevel })
  const onReady = ({ http, https }: { readonly http?: number; readonly https?: number }): void => {
    const at = (listen: { readonly address: string } | undefined, port: number | undefined): string =>
      listen === undefined ? 'nowhere' : `${listen.address.includes(':') ? `[${listen.address}]` : listen.address}:${port}`
    console.log(`ready. http ${at(settings.http, http)}, https ${at(settings.https, https)}`)
  }
  await untilSignalled((signal) => runIngress({ settings, clock: realClock, log, onReady }, signal))
}
