export { scopeCovers, scopesSatisfy } from '@sallyport/protocol';
