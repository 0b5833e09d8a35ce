/** A word of a program: a number of 64 bits, or an address that the kernel gave. What is not there yet, or lost with a call, is undefined. */
export type Word = bigint | Pointer

export interface Pointer {
  readonly memory: Memory
  readonly offset: number
}

/** What an address leads to. Accesses that the verifier would refuse throw. */
export interface Memory {
  readonly name: string
  read(offset: number, width: number): Word
  write(offset: number, width: number, value: Word): void
}

export const isPointer = (word: Word | undefined): word is Pointer => typeof word === 'object'

/** Bytes at `pointer`; throws where one of them is out of bounds or was never written. */
export const bytesAt = ({ memory, offset }: Pointer, length: number): Buffer => {
  const bytes = Buffer.alloc(length)
  const width = offset % 4 === 0 && length % 4 === 0 ? 4 : 1
  for (let index = 0; index < length; index += width) {
    const word = memory.read(offset + index, width)
    if (isPointer(word)) throw new Error(`bpf: an address among the bytes of ${memory.name}`)
    bytes.writeUIntLE(Number(word), index, width)
  }
  return bytes
}

const checkPlace = (name: string, size: number, { offset, width }: { readonly offset: number; readonly width: number }): void => {
  if (offset < 0 || offset + width > size) throw new Error(`bpf: ${name}: bytes ${offset} to ${offset + width} of ${size}`)
  if (offset % width !== 0) throw new Error(`bpf: ${name}: ${width} bytes at ${offset} are not aligned`)
}

/** The value of a map's element, in place. */
export const valueMemory = (name: string, bytes: Buffer): Memory => ({
  name,
  read(offset, width) {
    checkPlace(name, bytes.length, { offset, width })
    return readUnsigned(bytes, offset, width)
  },
  write(offset, width, value) {
    checkPlace(name, bytes.length, { offset, width })
    if (isPointer(value)) throw new Error(`bpf: an address leaks into ${name}`)
    writeUnsigned(bytes, { offset, width, value })
  },
})

const STACK = 512

/** The stack: offsets are negative, as from the frame pointer. Nothing may be read that was not written. */
export const stackMemory = (): Memory => {
  const bytes = Buffer.alloc(STACK)
  const written = new Set<number>()
  const spilled = new Map<number, Pointer>()
  return {
    name: 'stack',
    read(offset, width) {
      const at = offset + STACK
      checkPlace('stack', STACK, { offset: at, width })
      const pointer = spilled.get(at)
      if (pointer !== undefined && width === 8) return pointer
      for (let index = at; index < at + width; index++) {
        if (!written.has(index)) throw new Error(`bpf: stack: byte ${index - STACK} is read before it is written`)
      }
      return readUnsigned(bytes, at, width)
    },
    write(offset, width, value) {
      const at = offset + STACK
      checkPlace('stack', STACK, { offset: at, width })
      for (let index = at; index < at + width; index++) written.add(index)
      spilled.delete(at - (at % 8))
      if (!isPointer(value)) return writeUnsigned(bytes, { offset: at, width, value })
      if (width !== 8) throw new Error('bpf: stack: half an address')
      for (let index = at; index < at + width; index++) written.delete(index)
      spilled.set(at, value)
    },
  }
}

/** An address that may only be handed on. */
export const opaque = (name: string): Memory => ({
  name,
  read() {
    throw new Error(`bpf: ${name} cannot be read`)
  },
  write() {
    throw new Error(`bpf: ${name} cannot be written`)
  },
})

const readUnsigned = (bytes: Buffer, offset: number, width: number): bigint =>
  width === 8 ? bytes.readBigUInt64LE(offset) : BigInt(bytes.readUIntLE(offset, width))

const writeUnsigned = (
  bytes: Buffer,
  { offset, width, value }: { readonly offset: number; readonly width: number; readonly value: bigint },
): void => {
  if (width === 8) bytes.writeBigUInt64LE(BigInt.asUintN(64, value), offset)
  else bytes.writeUIntLE(Number(BigInt.asUintN(width * 8, value)), offset, width)
}
