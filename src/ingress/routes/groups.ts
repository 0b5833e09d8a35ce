/** Which members belong to which group, both by name. */
export class Groups {
  readonly #groups = new Map<string, Set<string>>()

  add(group: string, member: string): void {
    const members = this.#groups.get(group)
    if (members === undefined) this.#groups.set(group, new Set([member]))
    else members.add(member)
  }

  remove(group: string, member: string): void {
    const members = this.#groups.get(group)
    members?.delete(member)
    if (members?.size === 0) this.#groups.delete(group)
  }

  get(group: string): Iterable<string> {
    return this.#groups.get(group) ?? []
  }

  names(): Iterable<string> {
    return this.#groups.keys()
  }

  has(group: string): boolean {
    return this.#groups.has(group)
  }
}
