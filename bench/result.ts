/** One measured figure. A comparison is a result of its own, such as "ratio to nginx: requests a second". */
export interface Result {
  readonly name: string
  readonly value: number
  readonly unit: string
}

/** What `bench/<topic>/bench.ts` exports. */
export interface Topic {
  run(): Promise<readonly Result[]>
}
