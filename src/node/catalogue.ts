import { existsSync } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { isAbsolute, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse } from 'yaml'
import { errorMessage, UserError } from './../base/index.ts'

/** What an image name stands for: a command of this machine. */
export interface Image {
  readonly name: string
  /** Runs when the container gives no `command`. */
  readonly entrypoint: readonly string[]
  /** Follows the entrypoint when the container gives neither `command` nor `args`. */
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly workingDir?: string
  /** A folder that the container sees as its root. */
  readonly root?: string
}

/** Image names to commands. */
export interface ImageCatalogue {
  /** Undefined for an unknown image. Rejects when the user's file can't be read. */
  find(image: string): Promise<Image | undefined>
  /** The names to choose from, sorted; a name without a tag stands for all tags. */
  names(): Promise<readonly string[]>
}

/** Names of well-known sample images, so that tutorials' manifests run as they are; each without tag, for all tags. */
const ALIASES: ReadonlyMap<string, 'echo' | 'web'> = new Map([
  ['fairway/echo', 'echo'],
  ['fairway/web', 'web'],
  ['ikubernetes/myapp', 'web'],
  ['nginx', 'web'],
  ['httpd', 'web'],
  ['ealen/echo-server', 'echo'],
  ['hashicorp/http-echo', 'echo'],
  ['registry.k8s.io/echoserver', 'echo'],
  ['registry.k8s.io/e2e-test-images/agnhost', 'echo'],
  ['traefik/whoami', 'echo'],
])

/** The built-in samples, and the entries of the user's file (YAML or JSON) when there is one, which win; the file is read again when it changes. */
export const createCatalogue = (options: { readonly file?: string } = {}): ImageCatalogue => {
  const user = options.file === undefined ? async () => new Map<string, Image>() : userEntries(options.file)
  return {
    async find(image) {
      const entries = await user()
      const name = repositoryOf(image)
      return entries.get(image) ?? entries.get(name) ?? builtIn(image, name)
    },
    async names() {
      return [...new Set([...(await user()).keys(), ...ALIASES.keys()])].sort()
    },
  }
}

/** The image's name without registry defaults, tag and digest: `docker.io/library/nginx:1.27` is `nginx`. Pure. */
export const repositoryOf = (image: string): string => {
  const withoutDigest = image.split('@')[0] ?? image
  const slash = withoutDigest.lastIndexOf('/')
  const colon = withoutDigest.indexOf(':', slash + 1)
  const name = colon < 0 ? withoutDigest : withoutDigest.slice(0, colon)
  return name.replace(/^(index\.)?docker\.io\//, '').replace(/^library\//, '')
}

const builtIn = (image: string, name: string): Image | undefined => {
  const sample = ALIASES.get(name)
  if (sample === undefined) return undefined
  return { name: image, entrypoint: sampleCommand(sample), args: [], env: { FAIRWAY_IMAGE: image } }
}

/** The sample's program runs in the Node that runs us: compiled beside us, or from the sources through tsx. */
const sampleCommand = (sample: 'echo' | 'web'): readonly string[] => {
  const compiled = fileURLToPath(new URL(`./images/${sample}.js`, import.meta.url))
  if (existsSync(compiled)) return [process.execPath, compiled]
  const source = fileURLToPath(new URL(`./images/${sample}.ts`, import.meta.url))
  return [process.execPath, '--import', import.meta.resolve('tsx'), source]
}

const userEntries = (file: string): (() => Promise<ReadonlyMap<string, Image>>) => {
  let known: { readonly mtimeMs: number; readonly entries: ReadonlyMap<string, Image> } | undefined
  return async () => {
    try {
      const { mtimeMs } = await stat(file)
      if (known?.mtimeMs !== mtimeMs) known = { mtimeMs, entries: parseCatalogue(await readFile(file, 'utf8'), file) }
      return known.entries
    } catch (error) {
      if (error instanceof UserError) throw error
      throw new UserError(`image catalogue ${file}: ${errorMessage(error)}`)
    }
  }
}

/**
 * A map of image names to `{ command, args?, env?, workingDir?, root? }`, or just to a command. Throws `UserError` naming the entry.
 * Relative folders count from the current folder. Pure but for that.
 */
export const parseCatalogue = (text: string, file: string): ReadonlyMap<string, Image> => {
  const document: unknown = parse(text) ?? {}
  if (!isRecord(document)) throw new UserError(`image catalogue ${file}: expected a map of image names`)
  return new Map(
    Object.entries(document).map(([name, entry]) => [name, readEntry(name, entry, `image catalogue ${file}: ${name}`)]),
  )
}

const readEntry = (name: string, entry: unknown, where: string): Image => {
  const fields = isRecord(entry) ? entry : { command: entry }
  const unknown = Object.keys(fields).filter((key) => !['command', 'args', 'env', 'workingDir', 'root'].includes(key))
  if (unknown.length > 0) throw new UserError(`${where}: unknown field ${unknown.join(', ')}`)
  const entrypoint = words(fields['command'], `${where}.command`)
  const root = folder(fields['root'], `${where}.root`)
  if (entrypoint.length === 0 && root === undefined)
    throw new UserError(`${where}: needs "command", a list of words, or "root", a folder`)
  const workingDir = folder(fields['workingDir'], `${where}.workingDir`)
  return {
    name,
    entrypoint,
    args: words(fields['args'], `${where}.args`),
    env: variables(fields['env'], `${where}.env`),
    ...(workingDir === undefined ? {} : { workingDir }),
    ...(root === undefined ? {} : { root }),
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const words = (value: unknown, where: string): readonly string[] => {
  if (value === undefined) return []
  if (typeof value === 'string') return value.split(/\s+/).filter(Boolean)
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value
  throw new UserError(`${where}: expected a list of words`)
}

const variables = (value: unknown, where: string): Readonly<Record<string, string>> => {
  if (value === undefined) return {}
  if (!isRecord(value)) throw new UserError(`${where}: expected a map of variables`)
  return Object.fromEntries(Object.entries(value).map(([name, content]) => [name, String(content)]))
}

const folder = (value: unknown, where: string): string | undefined => {
  if (value === undefined) return undefined
  if (typeof value !== 'string' || value === '') throw new UserError(`${where}: expected a folder`)
  return isAbsolute(value) ? value : resolve(value)
}
