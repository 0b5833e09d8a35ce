import { providerConformance } from '../provider.conformance.ts'
import { fakeCloud, SHARE_ANNOTATION } from './fake-cloud.ts'
import { testService } from './services.ts'

providerConformance('fake', async () => {
  const cloud = fakeCloud()
  return {
    open: () => {
      cloud.fault = undefined
      return cloud.provider()
    },
    service: (name, { ports, share }) => testService(name, ports, share === undefined ? {} : { [SHARE_ANNOTATION]: share }),
    served: () =>
      [...cloud.balancers.values()]
        .flatMap(({ address, listeners }) => [...listeners.keys()].map((each) => `${address} ${each}`))
        .sort(),
    writes: () => cloud.effects,
    count: () => cloud.balancers.size,
    dieAt(nth, when) {
      let left = nth
      let isDead = false
      cloud.fault = (_, moment) => {
        if (isDead) throw new Error('dead')
        if (moment === when && --left === 0) {
          isDead = true
          throw new Error('dies')
        }
      }
      return true
    },
    nodes: [],
    close: () => {},
  }
})
