import { cleanupInstance } from '../../cluster/index.ts'
import { dataDirOf } from '../instance.ts'

/** `fairway cleanup`: removes what a killed instance left; refuses while it runs. */
export const cleanup = async (options: { readonly dataDir?: string }): Promise<void> => {
  const { removed, skipped } = await cleanupInstance(dataDirOf(options))
  for (const what of removed) console.log(`removed ${what}`)
  for (const what of skipped) console.error(`not looked for: ${what}`)
  if (removed.length === 0) console.log('nothing left to remove')
}
