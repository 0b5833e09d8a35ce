import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bashCompletion } from './bash-completion.ts'

describe('completion in bash', () => {
  let folder = ''
  let program = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "fairway's completion-"))
    program = join(folder, 'fairway.js')
    // Answers with what it was asked, and with a command of the same beginning.
    await writeFile(
      program,
      `console.log(process.argv.slice(4).join('|') + '\\tasked'); console.log('get\\tlist'); console.log(':4')`,
    )
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  const complete = (...words: readonly string[]): readonly string[] => {
    const typed = words.map((word) => `'${word}'`).join(' ')
    const script = `${bashCompletion(process.execPath, program)}
COMP_WORDS=(fairway ${typed}); COMP_CWORD=${words.length}; _fairway_complete; printf '%s\\n' "\${COMPREPLY[@]}"`
    const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', script], { encoding: 'utf8' })
    expect(stderr).toBe('')
    return stdout.split('\n').filter(Boolean)
  }

  it('offers what begins as the word does, without the descriptions', () => {
    expect(complete('ge')).toEqual(['ge', 'get'])
  })

  it('offers everything for an empty word', () => {
    expect(complete('delete', '')).toEqual(['delete|', 'get'])
  })

  it('runs nothing of what was typed', () => {
    expect(complete('get', '$(touch trap)', '')).toEqual(['get|$(touch trap)|', 'get'])
    expect(existsSync('trap')).toBe(false)
  })

  it('makes a command of the checkout that is not on the PATH', () => {
    const script = `PATH=; ${bashCompletion(process.execPath, program)}\nfairway complete -- x`
    const { stdout } = spawnSync('/bin/bash', ['--norc', '-c', script], { encoding: 'utf8' })
    expect(stdout).toContain('x\tasked')
  })

  it('may be sourced twice', () => {
    const script = bashCompletion(process.execPath, program)
    expect(spawnSync('bash', ['--norc', '-ec', `${script}\n${script}`], { encoding: 'utf8' })).toMatchObject({
      status: 0,
      stderr: '',
    })
  })
})
