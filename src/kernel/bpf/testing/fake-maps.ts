import { HostError } from '../../../host/index.ts'
import type { BpfMap, Elements, MapSpec } from '../objects.ts'
import { type Pointer, valueMemory } from './memory.ts'

/** A map of the fake kernel: what programs see and what its holder sees. */
export interface FakeMap {
  readonly id: number
  readonly spec: MapSpec
  /** Open handles; without one, and without an attached program that uses it, a map is gone. */
  holders: number
  lookup(key: string): Pointer | undefined
  update(key: string, value: Buffer): void
  delete(key: string): void
  read(): Elements
  /** The value of one socket, made when `create` says so. */
  ofSocket(socket: object, create: boolean): Pointer | undefined
}

export const fakeMap = (id: number, spec: MapSpec): FakeMap => {
  const { kind, keySize, valueSize, maxEntries, name } = spec
  const values = new Map<string, Buffer>()
  const sockets = new WeakMap<object, Buffer>()
  const pointerTo = (bytes: Buffer): Pointer => ({ memory: valueMemory(`map ${name}`, bytes), offset: 0 })
  const arrayKey = (key: string): string => {
    if (Buffer.from(key, 'latin1').readUInt32LE() >= maxEntries) throw failure('update', name, 'E2BIG')
    return key
  }
  return {
    id,
    spec,
    holders: 0,
    lookup(key) {
      const value = values.get(key)
      if (value === undefined) {
        if (kind !== 'array' || Buffer.from(key, 'latin1').readUInt32LE() >= maxEntries) return undefined
        const zeros = Buffer.alloc(valueSize)
        values.set(key, zeros)
        return pointerTo(zeros)
      }
      if (kind === 'lru hash') {
        values.delete(key)
        values.set(key, value)
      }
      return pointerTo(value)
    },
    update(key, value) {
      if (key.length !== keySize || value.length !== valueSize) throw new Error(`bpf: an element of another size in map ${name}`)
      if (kind === 'socket storage') throw failure('update', name, 'ENOTSUP')
      if (kind === 'array') arrayKey(key)
      const isNew = !values.has(key)
      if (kind === 'hash' && isNew && values.size >= maxEntries) throw failure('update', name, 'E2BIG')
      const [oldest] = values.keys()
      if (kind === 'lru hash' && isNew && values.size >= maxEntries && oldest !== undefined) values.delete(oldest)
      // A new value takes the place of the old one: who holds the old one keeps it.
      values.set(key, Buffer.from(value))
    },
    delete: (key) => void values.delete(key),
    read: () => new Map([...values].map(([key, value]) => [key, value.toString('latin1')])),
    ofSocket(socket, create) {
      if (kind !== 'socket storage') throw new Error(`bpf: map ${name} is no socket storage`)
      const known = sockets.get(socket)
      if (known !== undefined) return pointerTo(known)
      if (!create) return undefined
      const value = Buffer.alloc(valueSize)
      sockets.set(socket, value)
      return pointerTo(value)
    },
  }
}

/** A handle of a map. */
export const handleOf = (map: FakeMap): BpfMap => {
  map.holders++
  return {
    id: map.id,
    spec: map.spec,
    read: () => map.read(),
    get: (key) => map.read().get(key),
    update(elements) {
      for (const [key, value] of elements) map.update(key, Buffer.from(value, 'latin1'))
    },
    delete(keys) {
      for (const key of keys) {
        if (map.spec.kind === 'array') map.update(key, Buffer.alloc(map.spec.valueSize))
        else map.delete(key)
      }
    },
    close: () => void map.holders--,
  }
}

/** As the kernel's refusals are. */
export const failure = (call: string, what: string, code: string): HostError =>
  new HostError(`bpf ${call} ${what}: ${code}`, { code, command: [`bpf ${call} ${what}`] })
