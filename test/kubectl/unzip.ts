import { open } from 'node:fs/promises'
import { inflateRawSync } from 'node:zlib'

const END_OF_DIRECTORY = 0x06054b50
const DIRECTORY_ENTRY = 0x02014b50
const END_SIZE = 22
const LONGEST_COMMENT = 65_535
const DEFLATED = 8

/** The content of one file of a zip archive (APPNOTE 4.3; no zip64, no encryption). */
export const readZipEntry = async (archive: string, name: string): Promise<Buffer> => {
  const file = await open(archive, 'r')
  try {
    const { size } = await file.stat()
    const read = async (position: number, length: number): Promise<Buffer> => {
      const buffer = Buffer.alloc(length)
      const { bytesRead } = await file.read(buffer, 0, length, position)
      return buffer.subarray(0, bytesRead)
    }
    const tail = await read(Math.max(0, size - END_SIZE - LONGEST_COMMENT), Math.min(size, END_SIZE + LONGEST_COMMENT))
    const end = findEnd(tail)
    const directory = await read(tail.readUInt32LE(end + 16), tail.readUInt32LE(end + 12))
    const entry = findEntry(directory, name)
    if (entry === undefined) throw new Error(`${archive} holds no ${name}`)
    const header = await read(entry.position, 30)
    const start = entry.position + 30 + header.readUInt16LE(26) + header.readUInt16LE(28)
    const bytes = await read(start, entry.size)
    return entry.method === DEFLATED ? inflateRawSync(bytes) : bytes
  } finally {
    await file.close()
  }
}

const findEnd = (tail: Buffer): number => {
  for (let at = tail.length - END_SIZE; at >= 0; at--) if (tail.readUInt32LE(at) === END_OF_DIRECTORY) return at
  throw new Error('no zip archive')
}

const findEntry = (directory: Buffer, name: string) => {
  for (let at = 0; at + 46 <= directory.length && directory.readUInt32LE(at) === DIRECTORY_ENTRY; ) {
    const nameLength = directory.readUInt16LE(at + 28)
    if (directory.toString('utf8', at + 46, at + 46 + nameLength) === name) {
      return {
        method: directory.readUInt16LE(at + 10),
        size: directory.readUInt32LE(at + 20),
        position: directory.readUInt32LE(at + 42),
      }
    }
    at += 46 + nameLength + directory.readUInt16LE(at + 30) + directory.readUInt16LE(at + 32)
  }
  return undefined
}
