export { type AnnounceCredential, mintCredential, readCredentialFile, writeCredentialFile } from './credential-file.ts';
export { deriveKey, type KeyPurpose, loadMasterKey } from './master-key.ts';
export { createSealer, type Sealer } from './sealed.ts';
