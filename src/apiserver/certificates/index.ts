export { type Certificates, type CertificatesOptions, type ClientIdentity, openCertificates } from './certificates.ts'
export { type KubeconfigOptions, kubeconfigText, writeKubeconfig } from './kubeconfig.ts'
export type { KeyPair } from './x509.ts'
