import type { Elements, MapSpec } from './objects.ts'

type Sizes = Pick<MapSpec, 'keySize' | 'valueSize'>

export interface Packed {
  readonly count: number
  readonly keys: Buffer
  readonly values: Buffer
}

/** Keys one after another, and values, as batches of bpf(2) want them. Throws on an element of another size: it would shift all that follow. */
export const packed = (elements: Elements, { keySize, valueSize }: Sizes): Packed => {
  const keys = Buffer.allocUnsafeSlow(elements.size * keySize)
  const values = Buffer.allocUnsafeSlow(elements.size * valueSize)
  let index = 0
  for (const [key, value] of elements) {
    if (key.length !== keySize || value.length !== valueSize) {
      throw new Error(`bpf: an element of ${key.length} and ${value.length} bytes in a map of ${keySize} and ${valueSize}`)
    }
    keys.write(key, index * keySize, 'latin1')
    values.write(value, index * valueSize, 'latin1')
    index++
  }
  return { count: elements.size, keys, values }
}

/** What `packed` put together, apart again. */
export const unpacked = (keys: Buffer, values: Buffer, { keySize, valueSize }: Sizes): Elements => {
  const elements = new Map<string, string>()
  for (let at = 0, index = 0; at < keys.length; at += keySize, index++) {
    elements.set(keys.toString('latin1', at, at + keySize), values.toString('latin1', index * valueSize, (index + 1) * valueSize))
  }
  return elements
}
