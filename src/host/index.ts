export { type Capabilities, probeCapabilities, readUnprivilegedPortStart, type Tool, type Usability } from './capabilities.ts'
export { HostError, type HostErrorDetails, missingCommand } from './errors.ts'
export { type Exec, type ExecOptions, type ExecResult, realExec } from './exec.ts'
export { type Files, realFiles } from './files.ts'
export { makeFolder } from './folders.ts'
export { type Host, realHost } from './host.ts'
export { childrenOf, identityOf, isAlive, type ProcessIdentity, processesWithEnv } from './processes.ts'
export {
  type ExitStatus,
  findOnPath,
  realSpawn,
  type Spawn,
  type SpawnedProcess,
  type SpawnOptions,
  signalGroup,
} from './spawn.ts'
