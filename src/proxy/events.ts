/** Writes Events about Services; the cluster wires it to the API. Must not throw. */
export interface EventRecorder {
  event(about: ServiceReference, type: 'Normal' | 'Warning', event: { readonly reason: string; readonly message: string }): void
}

export interface ServiceReference {
  readonly apiVersion: 'v1'
  readonly kind: 'Service'
  readonly namespace: string
  readonly name: string
}

export const aboutService = ({ namespace, name }: { readonly namespace: string; readonly name: string }): ServiceReference => ({
  apiVersion: 'v1',
  kind: 'Service',
  namespace,
  name,
})
