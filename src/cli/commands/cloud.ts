import { createLogger, errorCode, UserError } from '../../base/index.ts'
import { createEmulator } from '../../emulator/index.ts'
import { findCredential } from '../cloud/credentials.ts'
import { type GivenFlags, readSettings } from '../cloud/settings.ts'
import { untilSignalled } from '../until-signalled.ts'

/** `fairway cloud`: a CLB cloud on this machine, in the foreground until SIGINT or SIGTERM. */
export const cloud = async (given: GivenFlags): Promise<void> => {
  const { logLevel, ...settings } = await readSettings(given)
  const { credential, source } = await credentialFor(given, settings.dataDir)
  const emulator = createEmulator({ ...settings, credentials: [credential], log: createLogger({ level: logLevel }) })
  await untilSignalled(async (signal) => {
    const { address, port, stopped } = await emulator.start(signal)
    const host = address.includes(':') ? `[${address}]` : address
    if (!isLoopback(address)) console.error(`warning: whoever reaches ${host}:${port} may ask for faults and read the page`)
    console.log(`ready. API http://${host}:${port}, page http://${host}:${port}/_emulator/, credentials from ${source}`)
    await stopped
  })
}

const isLoopback = (address: string): boolean => address === '::1' || address.startsWith('127.')

const credentialFor = async (given: GivenFlags, dataDir: string): ReturnType<typeof findCredential> => {
  try {
    return await findCredential(given, process.env, dataDir)
  } catch (error) {
    if (error instanceof UserError) throw error
    throw new UserError(`--data-dir: ${dataDir} can't be used (${errorCode(error)})`, { cause: error, exitCode: 2 })
  }
}
