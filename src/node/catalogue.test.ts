import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createCatalogue, parseCatalogue, repositoryOf } from './catalogue.ts'

describe('image names', () => {
  it.each([
    ['nginx', 'nginx'],
    ['nginx:1.27-alpine', 'nginx'],
    ['docker.io/library/nginx:latest', 'nginx'],
    ['ikubernetes/myapp:v1', 'ikubernetes/myapp'],
    ['localhost:5000/app', 'localhost:5000/app'],
    ['localhost:5000/app:v2', 'localhost:5000/app'],
    ['nginx@sha256:abc', 'nginx'],
    ['nginx:1.27@sha256:abc', 'nginx'],
  ])('%s is of the repository %s', (image, repository) => {
    expect(repositoryOf(image)).toBe(repository)
  })
})

describe('the catalogue', () => {
  let folder = ''
  let file = ''
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'fairway-catalogue-'))
    file = join(folder, 'images.yaml')
  })
  afterEach(() => rm(folder, { recursive: true, force: true }))

  it('knows the samples and the names that tutorials use', async () => {
    const catalogue = createCatalogue()
    for (const name of [
      'fairway/echo',
      'fairway/web:latest',
      'ikubernetes/myapp:v1',
      'nginx:1.27',
      'registry.k8s.io/e2e-test-images/agnhost:2.39',
    ]) {
      expect((await catalogue.find(name))?.entrypoint[0]).toBe(process.execPath)
    }
    expect(await catalogue.find('postgres')).toBeUndefined()
    expect(await catalogue.find('__proto__')).toBeUndefined()
  })

  it('lets the user’s entries win, by exact tag first', async () => {
    await writeFile(file, 'nginx: nginx-here\n"nginx:2": { command: [two], args: [x], env: { A: 1 }, workingDir: /srv }\n')
    const catalogue = createCatalogue({ file })
    expect((await catalogue.find('nginx:1'))?.entrypoint).toEqual(['nginx-here'])
    expect(await catalogue.find('nginx:2')).toEqual({
      name: 'nginx:2',
      entrypoint: ['two'],
      args: ['x'],
      env: { A: '1' },
      workingDir: '/srv',
    })
    expect(await catalogue.names()).toContain('nginx:2')
  })

  it('reads the file again when it changed', async () => {
    await writeFile(file, 'app: one')
    const catalogue = createCatalogue({ file })
    expect((await catalogue.find('app'))?.entrypoint).toEqual(['one'])
    await writeFile(file, 'app: two')
    await utimes(file, new Date(), new Date(Date.now() + 10_000))
    expect((await catalogue.find('app'))?.entrypoint).toEqual(['two'])
  })

  it('says that its file is missing', async () => {
    await expect(createCatalogue({ file }).find('nginx')).rejects.toThrow(/image catalogue .*images\.yaml: ENOENT/)
  })

  it.each([
    ['- a', /expected a map of image names/],
    ['app: { command: 7 }', /app\.command: expected a list of words/],
    ['app: {}', /app: needs "command", a list of words, or "root", a folder/],
    ['app: { command: x, port: 80 }', /app: unknown field port/],
    ['app: { command: x, env: [a] }', /app\.env: expected a map of variables/],
    ['app: { root: 7 }', /app\.root: expected a folder/],
  ])('refuses %s', (text, message) => {
    expect(() => parseCatalogue(text, 'images.yaml')).toThrow(message)
  })
})
