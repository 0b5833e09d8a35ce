import { getOwn, isJsonObject, setOwn } from './json-value.ts'

/** An operation that does not apply. */
export class PatchFailure extends Error {}

/** Values copied, compared or shifted by one patch; an honest patch needs a few thousand. */
const limit = 5_000_000
/** Characters of copied strings and keys. */
const copiedTextLimit = 8 * 1024 * 1024

/** Copies of copies may nest, and whoever walks the result must not exhaust the stack. */
const depthLimit = 1000

/** What one patch may cost: 10,000 operations that each copy or compare the document must not stop the server. */
export class WorkBudget {
  private work = 0
  private copiedText = 0

  spend(amount: number): void {
    this.work += amount
    if (this.work > limit) throw new PatchFailure('the patch is too much work')
  }

  copy(value: unknown, depth = 0): unknown {
    this.spend(1)
    if (depth > depthLimit) throw new PatchFailure('the patch nests values too deeply')
    if (typeof value === 'string') this.spendText(value)
    if (Array.isArray(value)) return value.map((item) => this.copy(item, depth + 1))
    if (!isJsonObject(value)) return value
    const copied: Record<string, unknown> = {}
    for (const key of Object.keys(value)) {
      this.spendText(key)
      setOwn(copied, key, this.copy(value[key], depth + 1))
    }
    return copied
  }

  isEqual(a: unknown, b: unknown): boolean {
    this.spend(1)
    if (Array.isArray(a))
      return Array.isArray(b) && a.length === b.length && a.every((item, index) => this.isEqual(item, b[index]))
    if (!isJsonObject(a)) return a === b
    if (!isJsonObject(b)) return false
    const keys = Object.keys(a)
    if (keys.length !== Object.keys(b).length) return false
    return keys.every((key) => Object.hasOwn(b, key) && this.isEqual(a[key], getOwn(b, key)))
  }

  private spendText(text: string): void {
    this.copiedText += text.length
    if (this.copiedText > copiedTextLimit) throw new PatchFailure('the patch copies too much')
  }
}
