/**
 * The sample image `fairway/web`: serves the files of the first volume that is mounted at a web server's usual root, of `--root DIR` or of env WEB_ROOT;
 * without files, a page that names the pod. Ports: `--port P` (repeatable), the container's declared TCP ports, or 80.
 * `/hostname.html` gives the pod's name, as the sample image of the tutorials does.
 */
import { createReadStream, existsSync, realpathSync, statSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { hostname } from 'node:os'
import { extname, join, sep } from 'node:path'
import { createGracefulServer } from './graceful-server.ts'

const env = process.env
const host = env['POD_IP'] || '0.0.0.0'
const podName = env['POD_NAME'] ?? hostname()

const ROOTS = ['/usr/share/nginx/html', '/usr/local/apache2/htdocs', '/var/www/html', '/srv/www']

const TYPES: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.ico': 'image/x-icon',
  '.jpg': 'image/jpeg',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
}

const argument = (name: string): readonly string[] =>
  process.argv.flatMap((word, index) => {
    if (word.startsWith(`--${name}=`)) return [word.slice(name.length + 3)]
    return word === `--${name}` ? [process.argv[index + 1] ?? ''] : []
  })

/** FAIRWAY_MOUNTS holds `MOUNTPATH=FOLDER` of each volume, separated by newlines, for containers that see the machine's own file system. */
const mounts = new Map(
  (env['FAIRWAY_MOUNTS'] ?? '')
    .split('\n')
    .filter(Boolean)
    .map((line): [string, string] => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
)

const root = ((): string | undefined => {
  const asked = argument('root')[0] ?? env['WEB_ROOT']
  const candidates = asked === undefined ? ROOTS : [asked]
  const found = candidates.map((path) => mounts.get(path) ?? path).find((path) => existsSync(path))
  return found === undefined || (asked === undefined && !declaredRoot(found)) ? undefined : realpathSync(found)
})()

/** A usual root that no volume covers belongs to the machine, not to the pod. */
function declaredRoot(path: string): boolean {
  return [...mounts].some(([target, source]) => source === path || target === path)
}

const ports = ((): readonly number[] => {
  const declared = (env['FAIRWAY_PORTS'] ?? '')
    .split(',')
    .filter((entry) => entry.includes('/TCP'))
    .map((entry) => entry.split('/')[0] ?? '')
  const asked = [...argument('port'), ...declared].map(Number).filter((port) => Number.isInteger(port) && port > 0)
  return asked.length === 0 ? [80] : [...new Set(asked)]
})()

const send = (response: ServerResponse, code: number, text: string, type = 'text/html; charset=utf-8'): void => {
  response.writeHead(code, { 'content-type': type, 'content-length': Buffer.byteLength(text) }).end(text)
}

const escaped = (text: string): string => text.replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`)

const builtInPage = (): string =>
  `<!doctype html><title>${escaped(podName)}</title><h1>Hello from ${escaped(podName)}</h1>` +
  `<p>image ${escaped(env['FAIRWAY_IMAGE'] ?? '')}, namespace ${escaped(env['POD_NAMESPACE'] ?? '')}, address ${escaped(env['POD_IP'] ?? '')}</p>\n`

/** The file of a path, within the root also when links are followed; undefined when there is none. */
const fileOf = (folder: string, path: string): string | undefined => {
  try {
    const plain = join(folder, path)
    const file = realpathSync(existsSync(plain) && statSync(plain).isDirectory() ? join(plain, 'index.html') : plain)
    return (file === folder || file.startsWith(folder + sep)) && statSync(file).isFile() ? file : undefined
  } catch {
    return undefined
  }
}

const decodedPath = (request: IncomingMessage): string | undefined => {
  try {
    return decodeURIComponent(new URL(request.url ?? '/', 'http://pod').pathname)
  } catch {
    return undefined
  }
}

const handle = (request: IncomingMessage, response: ServerResponse): void => {
  request.resume()
  const path = decodedPath(request)
  if (request.method !== 'GET' && request.method !== 'HEAD') send(response, 405, 'method not allowed\n', 'text/plain')
  else if (path === undefined || path.includes('\0')) send(response, 400, 'bad path\n', 'text/plain')
  else serve(request, response, path)
}

const serve = (request: IncomingMessage, response: ServerResponse, path: string): void => {
  const file = root === undefined ? undefined : fileOf(root, path)
  if (file !== undefined) {
    response.writeHead(200, {
      'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
      'content-length': statSync(file).size,
    })
    if (request.method === 'HEAD') response.end()
    else
      createReadStream(file)
        .on('error', () => response.destroy())
        .pipe(response)
  } else if (path === '/hostname.html') send(response, 200, `${podName}\n`, 'text/plain; charset=utf-8')
  else if (root === undefined || path === '/healthz') send(response, 200, builtInPage())
  else send(response, 404, 'not found\n', 'text/plain')
}

const servers = ports.map((port) => {
  const graceful = createGracefulServer(handle)
  graceful.server
    .on('error', (error) => {
      console.error(`web: ${host}:${port}: ${error.message}`)
      process.exit(1)
    })
    .listen(port, host, () => console.log(`web: ${root ?? 'built-in page'} on ${host}:${port}`))
  return graceful
})

process.on('SIGTERM', () => {
  for (const { end } of servers) end()
})
process.on('SIGINT', () => process.exit(130))
