import { resolve } from 'node:path'
import { defaultDataDir, environmentOf } from '../cluster/index.ts'

/** The data folder that a command means. */
export const dataDirOf = (options: { readonly dataDir?: string }): string =>
  resolve(options.dataDir ?? defaultDataDir(environmentOf(process.geteuid?.() === 0)))
