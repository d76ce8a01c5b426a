export { noPostgres, type PostgresServer, type PostgresServerOptions, startPostgres } from '@sallyport/testkit';
