import { type Capabilities, probeCapabilities } from './capabilities.ts'
import { type Exec, realExec } from './exec.ts'
import { type Files, realFiles } from './files.ts'
import { realSpawn, type Spawn } from './spawn.ts'

/** The machine, as far as components touch it. */
export interface Host {
  readonly exec: Exec
  readonly spawn: Spawn
  readonly files: Files
  /** Probed at the first call, then remembered. */
  capabilities(): Promise<Capabilities>
}

/** This machine. */
export const realHost = (): Host => {
  let known: Promise<Capabilities> | undefined
  return {
    exec: realExec,
    spawn: realSpawn,
    files: realFiles,
    capabilities: () => {
      known ??= probeCapabilities(realExec)
      return known
    },
  }
}
