import { ApiError } from '../../api/index.ts'
import { UserError } from '../../base/index.ts'
import { applyManifest, type Manifest, readManifests } from '../../cluster/index.ts'
import { type Connected, type ConnectionOptions, withConnection } from '../connect.ts'

export interface ApplyCommandOptions extends ConnectionOptions {
  readonly filename: readonly string[]
}

/** `fairway apply`: every object is tried; what the server refuses is told and the others go on. */
export const apply = async (options: ApplyCommandOptions): Promise<void> => {
  const manifests = await readManifests(options.filename)
  if (manifests.length === 0) {
    throw new UserError(`no objects in ${options.filename.join(', ')}; name files or folders with YAML or JSON manifests`)
  }
  await withConnection(options, (connected) => applyAll(connected, manifests))
}

const applyAll = async ({ client, namespace }: Connected, manifests: readonly Manifest[]): Promise<void> => {
  for (const manifest of manifests) {
    try {
      const { label, outcome } = await applyManifest(client, manifest, { namespace, fieldManager: 'fairway-apply' })
      console.log(`${label} ${outcome}`)
    } catch (error) {
      if (!(error instanceof ApiError || error instanceof UserError)) throw error
      const origin = error instanceof ApiError ? `${manifest.origin}: ` : ''
      console.error(`fairway: ${origin}${error.message}`)
      process.exitCode = 1
    }
  }
}
