import { type HTTPIngressPath, type Ingress, type IngressBackend, type IngressSpec, ingressKind } from '../index.ts'
import { Builder, storedMetadata } from './builder.ts'

export class IngressBuilder extends Builder<Ingress> {
  spec(change: Partial<IngressSpec>): this {
    return this.with((object) => ({ ...object, spec: { ...object.spec, ...change } }))
  }

  /** A rule for one host (empty for all) whose paths lead to backends `service:port`: `.host('a.b', { '/': 'web:80' })`. */
  host(host: string, paths: Readonly<Record<string, string>>, pathType: HTTPIngressPath['pathType'] = 'Prefix'): this {
    const http = { paths: Object.entries(paths).map(([path, to]) => ({ path, pathType, backend: backendOf(to) })) }
    const rule = host === '' ? { http } : { host, http }
    return this.spec({ rules: [...(this.object.spec.rules ?? []), rule] })
  }

  defaultBackend(to: string): this {
    return this.spec({ defaultBackend: backendOf(to) })
  }

  tls(secretName: string, ...hosts: readonly string[]): this {
    return this.spec({ tls: [...(this.object.spec.tls ?? []), { secretName, hosts }] })
  }

  className(ingressClassName: string): this {
    return this.spec({ ingressClassName })
  }
}

const backendOf = (to: string): IngressBackend => {
  const [name = '', port = ''] = to.split(':')
  return { service: { name, port: /^[0-9]+$/.test(port) ? { number: Number(port) } : { name: port } } }
}

/** An Ingress without rules yet. */
export const ingress = (name: string): IngressBuilder =>
  new IngressBuilder(ingressKind, {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: storedMetadata(ingressKind, name),
    spec: {},
  })
