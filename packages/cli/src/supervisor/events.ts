/** What the supervisor tells of a service, for the log and the status line. */
export type ServiceEvent =
  | { readonly kind: 'starting'; readonly pid: number | undefined }
  | { readonly kind: 'up'; readonly pid: number | undefined }
  | { readonly kind: 'reloading' }
  | { readonly kind: 'reloaded'; readonly pid: number | undefined }
  /** The new version did not come up; the old one goes on. */
  | { readonly kind: 'reload-failed'; readonly why: string }
  | { readonly kind: 'crashed'; readonly how: string; readonly againInMs: number }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'line'; readonly text: string };

/** Receives what happens, with the name of the service it happens to. */
export type Tell = (service: string, event: ServiceEvent) => void;
