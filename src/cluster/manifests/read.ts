import { lstat, readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Document, LineCounter, parseAllDocuments, type Tags } from 'yaml'
import { errorCode, errorMessage, UserError } from '../../base/index.ts'

/** One object of a manifest, as it was written. */
export interface Manifest {
  /** `file.yaml:12`, for messages. */
  readonly origin: string
  readonly object: Readonly<Record<string, unknown>>
}

const EXTENSIONS = ['.yaml', '.yml', '.json']
/** A file above this is a mistake, not a manifest. */
const MAX_FILE_BYTES = 16 << 20

/**
 * The objects of files and folders (not recursive, in name order; `-` is standard input), with `List` objects taken apart.
 * Throws `UserError` with file and line for what is not YAML, not an object, or without apiVersion and kind.
 */
export const readManifests = async (paths: readonly string[]): Promise<readonly Manifest[]> => {
  const files = (await Promise.all(paths.map(expand))).flat()
  const texts = await Promise.all(files.map(async (file) => ({ file, text: await readText(file) })))
  return texts.flatMap(({ file, text }) => parseManifests(text, file))
}

const expand = async (path: string): Promise<readonly string[]> => {
  if (path === '-') return [path]
  const stats = await lstat(path).catch((error: unknown) => {
    throw new UserError(
      errorCode(error) === 'ENOENT' ? `the path "${path}" does not exist` : `cannot read "${path}": ${errorMessage(error)}`,
      { cause: error },
    )
  })
  if (!stats.isDirectory()) return [path]
  const names = (await readdir(path)).filter((name) => EXTENSIONS.some((extension) => name.endsWith(extension))).sort()
  if (names.length === 0) throw new UserError(`no ${EXTENSIONS.join(', ')} file in the folder "${path}"`)
  return names.map((name) => join(path, name))
}

const readText = async (file: string): Promise<string> => {
  if (file === '-') return readStandardInput()
  const { size } = await lstat(file)
  if (size > MAX_FILE_BYTES) throw new UserError(`"${file}" has ${size} bytes; a manifest may have ${MAX_FILE_BYTES}`)
  return readFile(file, 'utf8')
}

const readStandardInput = async (): Promise<string> => {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of process.stdin) {
    const bytes = Buffer.from(chunk)
    size += bytes.length
    if (size > MAX_FILE_BYTES) throw new UserError(`standard input has more than ${MAX_FILE_BYTES} bytes`)
    chunks.push(bytes)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** The objects of one text; JSON is YAML. */
export const parseManifests = (text: string, file: string): readonly Manifest[] => {
  const lines = new LineCounter()
  // kubectl reads YAML 1.1 (`yes`, `0o17`), but neither its timestamps nor its base-60 numbers.
  const documents = parseAllDocuments(text, { version: '1.1', lineCounter: lines, prettyErrors: true, customTags: withoutTimes })
  if (!Array.isArray(documents)) return []
  return documents.flatMap((document) => {
    const origin = `${file}:${lines.linePos(document.contents?.range?.[0] ?? document.range[0]).line}`
    return objectsOf(toValue(document, origin, lines), origin)
  })
}

const withoutTimes = (tags: Tags): Tags =>
  tags.filter((tag) => typeof tag === 'string' || (tag.tag !== 'tag:yaml.org,2002:timestamp' && tag.format !== 'TIME'))

const toValue = (document: Document.Parsed, origin: string, lines: LineCounter): unknown => {
  const [error] = document.errors
  if (error) {
    const { line, col } = lines.linePos(error.pos[0])
    const file = origin.replace(/:\d+$/, '')
    throw new UserError(`${file}:${line}:${col}: not valid YAML: ${error.message.split('\n')[0]}`)
  }
  try {
    return document.toJS({ maxAliasCount: 100 })
  } catch (cause) {
    throw new UserError(`${origin}: not valid YAML: ${errorMessage(cause)}`, { cause })
  }
}

const objectsOf = (value: unknown, origin: string): readonly Manifest[] => {
  if (value === null || value === undefined) return []
  if (!isRecord(value))
    throw new UserError(`${origin}: a manifest must be an object, found ${Array.isArray(value) ? 'a list' : typeof value}`)
  if (typeof value['apiVersion'] !== 'string') throw new UserError(`${origin}: apiVersion is missing`)
  if (typeof value['kind'] !== 'string') throw new UserError(`${origin}: kind is missing`)
  if (value['kind'] !== 'List') return [{ origin, object: value }]
  const items = value['items']
  return Array.isArray(items) ? items.flatMap((item) => objectsOf(item, origin)) : []
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
