import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { printFailure } from '../failure.ts'
import { buildProgram } from '../program.ts'

const EXAMPLES = fileURLToPath(new URL('../../../examples/ingress-nginx', import.meta.url))

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'fairway-audit-'))
})
afterEach(() => rm(folder, { recursive: true }))

/** The command line as `main` runs it, its exit code given back instead of set. */
const fairway = async (
  ...args: readonly string[]
): Promise<{ readonly out: string; readonly err: string; readonly code: number }> => {
  const lines: string[] = []
  const errors: string[] = []
  const log = vi.spyOn(console, 'log').mockImplementation((line: string) => void lines.push(line))
  const error = vi.spyOn(console, 'error').mockImplementation((line: string) => void errors.push(line))
  const before = process.exitCode
  process.exitCode = 0
  try {
    const program = await buildProgram()
    await program.parseAsync(['node', 'fairway', 'ingress', 'audit', ...args])
    return { out: lines.join('\n'), err: errors.join('\n'), code: Number(process.exitCode) }
  } catch (failure) {
    const code = printFailure(failure)
    return { out: lines.join('\n'), err: errors.join('\n'), code }
  } finally {
    process.exitCode = before
    log.mockRestore()
    error.mockRestore()
  }
}

const file = async (text: string): Promise<string> => {
  const path = join(folder, 'f.yaml')
  await writeFile(path, text)
  return path
}

const ingress = (annotations: string, rest = ''): string =>
  `apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: { name: w, annotations: { ${annotations} } }\nspec: { ingressClassName: nginx, defaultBackend: { service: { name: w, port: { number: 80 } } } ${rest} }\n`

describe('fairway ingress audit', () => {
  it('says of the examples what audit.txt says', async () => {
    const { out, code } = await fairway('-f', EXAMPLES)
    expect(`${out}\n`).toBe(await readFile(join(EXAMPLES, 'audit.txt'), 'utf8'))
    expect(code).toBe(1)
  })

  it('says the same as JSON', async () => {
    const { out } = await fairway('-f', EXAMPLES, '-o', 'json')
    const { entries, totals, general } = JSON.parse(out)
    expect(entries).toContainEqual({
      ingress: 'default/blog',
      subject: 'nginx.ingress.kubernetes.io/secure-backends',
      verdict: 'refused',
      note: expect.any(String),
    })
    expect(totals.honoured + totals.differs + totals['no-effect'] + totals.refused).toBe(entries.length)
    expect(general.length).toBeGreaterThan(0)
  })

  it('ends well when nothing is refused', async () => {
    const { out, code } = await fairway('-f', await file(ingress('nginx.ingress.kubernetes.io/proxy-body-size: 8m')))
    expect(code).toBe(0)
    expect(out).toContain('1 honoured, 0 differ, 0 without effect, 0 refused')
  })

  it('looks into Secrets that are there, and misses none that are not', async () => {
    const guarded = ingress('nginx.ingress.kubernetes.io/auth-type: basic, nginx.ingress.kubernetes.io/auth-secret: users')
    expect((await fairway('-f', await file(guarded))).code).toBe(0)
    const secret = 'apiVersion: v1\nkind: Secret\nmetadata: { name: users }\ndata: { auth: YW5uOnNlY3JldA== }\n'
    const { code, out } = await fairway('-f', await file(`${guarded}---\n${secret}`))
    expect(code).toBe(1)
    expect(out).toContain('closed')
    expect(out).not.toContain('ann:secret')
  })

  it.each([
    ['no file', () => Promise.resolve('/nowhere')],
    ['no YAML', () => file('{')],
    ['no Ingress', () => file('apiVersion: v1\nkind: Service\nmetadata: { name: x }\nspec: {}\n')],
    [
      'an Ingress of another shape',
      () => file('apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: { name: w }\nspec: { rules: 5 }\n'),
    ],
  ])('cannot read %s: exit code 2, one line', async (_, path) => {
    const { code, err } = await fairway('-f', await path())
    expect(code).toBe(2)
    expect(err.split('\n')).toHaveLength(1)
  })

  it('wants to know what to read', async () => expect((await fairway()).code).toBe(2))
})
