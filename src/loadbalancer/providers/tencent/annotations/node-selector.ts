import { type Parser, value, wrong } from './reading.ts'

/** Every requirement must hold. */
export type NodeSelector = readonly Requirement[]

interface Requirement {
  readonly key: string
  readonly operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist'
  readonly values: readonly string[]
}

const KEY = '[A-Za-z0-9](?:[A-Za-z0-9_./-]{0,250}[A-Za-z0-9])?'
const VALUE = '(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?'
const EQUALS = new RegExp(`^(${KEY})\\s*(==?|!=)\\s*(${VALUE})$`)
const AMONG = new RegExp(`^(${KEY})\\s+(in|notin)\\s*\\(([^()]*)\\)$`)
const EXISTS = new RegExp(`^(!?)\\s*(${KEY})$`)

/** A label selector as kubectl writes it: `a=b,c!=d,e in (f,g),!h`. */
export const nodeSelector: Parser<NodeSelector> = (text) => {
  if (text.trim() === '') return wrong('must not be empty')
  if (text.length > 4_096) return wrong('is too long')
  const requirements = text.split(/,(?![^(]*\))/).map((part) => requirement(part.trim()))
  const read = requirements.filter((each) => each !== undefined)
  return read.length < requirements.length ? wrong('must be a label selector such as pool=web,zone in (a,b)') : value(read)
}

const requirement = (text: string): Requirement | undefined => {
  const equals = EQUALS.exec(text)
  if (equals !== null) {
    const [, key = '', sign, only = ''] = equals
    return { key, operator: sign === '!=' ? 'NotIn' : 'In', values: [only] }
  }
  const among = AMONG.exec(text)
  if (among !== null) {
    const [, key = '', word, list = ''] = among
    const values = list.split(',').map((each) => each.trim())
    const isWell = values.every((each) => new RegExp(`^${VALUE}$`).test(each))
    return isWell ? { key, operator: word === 'in' ? 'In' : 'NotIn', values } : undefined
  }
  const exists = EXISTS.exec(text)
  if (exists === null) return undefined
  return { key: exists[2] ?? '', operator: exists[1] === '!' ? 'DoesNotExist' : 'Exists', values: [] }
}

export const selects = (selector: NodeSelector, labels: Readonly<Record<string, string>>): boolean =>
  selector.every(({ key, operator, values }) => {
    const has = Object.hasOwn(labels, key)
    const isAmong = has && values.includes(labels[key] ?? '')
    switch (operator) {
      case 'In':
        return isAmong
      case 'NotIn':
        return !isAmong
      case 'Exists':
        return has
      case 'DoesNotExist':
        return !has
      default:
        return operator satisfies never
    }
  })
