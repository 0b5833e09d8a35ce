import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readCredentials } from './credentials.ts'
import { isPasswordOf } from './hashes.ts'

const PASSWORD = 'pa:ss wörd'
const sha1 = (text: string, salt = ''): string =>
  Buffer.concat([createHash('sha1').update(text).update(salt).digest(), Buffer.from(salt)]).toString('base64')

/** The crypt ones were made by `openssl passwd` and by glibc's crypt. */
const known: readonly (readonly [hash: string, password: string])[] = [
  ['$apr1$saltsalt$57M75mtJHnRrcuily51CO0', PASSWORD],
  ['$5$abcdefgh$hwZbjLXtCLokDdAWJ.eySnD9uv7h7aZhEpG5ehB5JoB', PASSWORD],
  ['$6$abcdefghijklmnop$UpvLVfqykqSJ7Z4q16a1mTQKAnQ7Wq5XNXoEZXVCONegqxgO0W0YsqvX1PiceKSugcl6U8Jwq6Sp/UsEh6b/11', PASSWORD],
  ['$6$rounds=1500$abc$dfPUUuG1IWLPeCSKTB6wmqnMgEvaoPml0EKAvhcQnH/GpMfB2yc8dGBkNIBtC8QfM1MJHiBCzdyew.GayjiId1', 'x'],
  ['$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5', 'Hello world!'],
  ['$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA', 'Hello world!'],
  ['$2b$04$abcdefghijklmnopqrstuuPp7HPfoAs8I2dCQCQ/fW7zEJv8I8C8e', 'x'],
  ['$2y$04$abcdefghijklmnopqrstuuPp7HPfoAs8I2dCQCQ/fW7zEJv8I8C8e', 'x'],
  ['$2a$04$abcdefghijklmnopqrstuuPp7HPfoAs8I2dCQCQ/fW7zEJv8I8C8e', 'x'],
  [`{SHA}${sha1(PASSWORD)}`, PASSWORD],
  [`{SSHA}${sha1(PASSWORD, 'salt')}`, PASSWORD],
]

describe('isPasswordOf', () => {
  it.each(known)('%s', (hash, password) => {
    expect(isPasswordOf(hash, Buffer.from(password))).toBe(true)
    for (const wrong of ['', `${password} `, password.toUpperCase(), password.slice(1)])
      expect(isPasswordOf(hash, Buffer.from(wrong))).toBe(false)
  })

  it.each([
    '',
    'secret',
    '{PLAIN}secret',
    '{SHA}',
    '{SSHA}c2VjcmV0',
    '$1$saltsalt$57M75mtJHnRrcuily51CO0',
    '$apr1$saltsalt$',
    '$6$$',
    '$6$rounds=999999999$abc$dfPUUuG1IWLPeCSKTB6wmqnMgEvaoPml0EKAvhcQnH',
    '$2b$31$abcdefghijklmnopqrstuuPp7HPfoAs8I2dCQCQ/fW7zEJv8I8C8e',
    '$2b$04$short',
    '*0',
  ])('nothing belongs to %j', (hash) => {
    for (const password of ['', 'secret', hash]) expect(isPasswordOf(hash, Buffer.from(password))).toBe(false)
  })

  const openssl = spawnSync('openssl', ['version']).status === 0
  it.skipIf(!openssl)('agrees with openssl passwd (skipped where there is no openssl)', () => {
    for (const length of [1, 15, 16, 17, 31, 32, 33, 63, 64, 65, 100])
      for (const kind of ['-apr1', '-5', '-6']) {
        const password = 'aß§'.repeat(length).slice(0, length)
        const made = spawnSync('openssl', ['passwd', kind, '-stdin'], { input: `${password}\n`, encoding: 'utf8' }).stdout.trim()
        expect(isPasswordOf(made, Buffer.from(password)), `${made} of ${password}`).toBe(true)
      }
  })
})

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`

describe('readCredentials', () => {
  it.each<[string | undefined, string | undefined]>([
    [undefined, undefined],
    ['', undefined],
    ['Basic', undefined],
    ['Basic ', undefined],
    [basic('ann:secret'), 'ann|secret'],
    [basic('ann:se:cret'), 'ann|se:cret'],
    [basic('ann:'), 'ann|'],
    [basic('änn:wörd'), 'änn|wörd'],
    [`basic   ${Buffer.from('ann:x').toString('base64')} `, 'ann|x'],
    [basic(':secret'), undefined],
    [basic('ann'), undefined],
    [basic('ann:\0'), undefined],
    ['Bearer abc', undefined],
    ['Basic YW5u!Om0=', undefined],
    [`${basic('ann:x')}, ${basic('bob:x')}`, undefined],
    [basic(`ann:${'x'.repeat(5_000)}`), undefined],
  ])('%s is %j', (field, credentials) => {
    const read = readCredentials(field)
    expect(read && `${read.user}|${read.password.toString()}`).toBe(credentials)
  })

  it('reads any text without failing, and back what was written', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        readCredentials(text)
        readCredentials(`Basic ${text}`)
      }),
    )
    const word = fc.string().map((text) => text.replaceAll('\0', ''))
    fc.assert(
      fc.property(word, word, (user, password) => {
        const read = readCredentials(basic(`${user}:${password}`))
        const colon = `${user}:${password}`.indexOf(':')
        if (colon === 0) expect(read).toBeUndefined()
        else expect([read?.user, read?.password.toString()]).toEqual([user.split(':')[0], `${user}:${password}`.slice(colon + 1)])
      }),
    )
  })
})
