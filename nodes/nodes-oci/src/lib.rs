//! The embedded runtime: image store, OCI bundles, containers by libcontainer.
