//! The HTTP edge: TLS, authentication, routes, encodings, discovery, OpenAPI, streams.
