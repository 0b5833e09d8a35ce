import { describe, expect, it } from 'vitest'
import { endpointSliceKind } from '../api/index.ts'
import { endpointSlice } from '../api/testing/index.ts'
import { fakeInformer } from '../informers/testing/index.ts'
import { addressIndex, createTraffic } from './traffic.ts'

const slice = (name: string, conditions: { readonly ready: boolean; readonly terminating?: boolean }) => {
  const built = endpointSlice(name).build()
  // The fake gives each write a version of its own.
  return {
    ...built,
    metadata: { ...built.metadata, resourceVersion: undefined },
    endpoints: [{ addresses: ['10.0.0.1'], conditions }],
  }
}

/** A carrier that says when it was asked, and answers when told. */
const carrier = () => {
  let asked = false
  let answer = (): void => {}
  return {
    settled: () => {
      asked = true
      return new Promise<void>((resolve) => {
        answer = resolve
      })
    },
    wasAsked: () => asked,
    answer: () => answer(),
  }
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describe('traffic', () => {
  it('is withdrawn when every slice says so and every carrier has caught up', async () => {
    const slices = fakeInformer(endpointSliceKind, [slice('a', { ready: true }), slice('b', { ready: true })], {
      indexes: addressIndex,
    })
    const proxy = carrier()
    let done = false
    const withdrawn = createTraffic(slices, [proxy])
      .withdrawn('10.0.0.1', new AbortController().signal)
      .then(() => {
        done = true
      })
    slices.set(slice('a', { ready: false, terminating: true }))
    await turn()
    expect(proxy.wasAsked()).toBe(false)
    slices.set(slice('b', { ready: true, terminating: true }))
    await turn()
    expect([proxy.wasAsked(), done]).toEqual([true, false])
    proxy.answer()
    await withdrawn
  })

  it('is withdrawn at once from an address that no slice has', async () => {
    const slices = fakeInformer(endpointSliceKind, [], { indexes: addressIndex })
    await createTraffic(slices, []).withdrawn('10.0.0.1', new AbortController().signal)
  })

  it('is waited for no longer than the caller wants', async () => {
    const slices = fakeInformer(endpointSliceKind, [slice('a', { ready: true })], { indexes: addressIndex })
    const over = new AbortController()
    const withdrawn = createTraffic(slices, [carrier()]).withdrawn('10.0.0.1', over.signal)
    over.abort()
    await withdrawn
  })
})
