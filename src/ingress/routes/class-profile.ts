import type { Ingress } from '../../api/index.ts'
import { CLASS_ANNOTATION } from './class.ts'

/** Whether an Ingress was written for ingress-nginx, by the name of its class: then it gets the defaults of that. */
export const isForNginx = ({ metadata, spec }: Ingress): boolean =>
  (spec.ingressClassName || metadata.annotations?.[CLASS_ANNOTATION]) === 'nginx'
