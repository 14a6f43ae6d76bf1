//! Images on disk: content-addressed blobs, unpacked layers, and the references that name them.
//!
//! Way in: [`ImageStore`], [`ImageBuilder`].  Owns: one directory:
//! `blobs/sha256/<hex>` (manifests, configurations, layers as they came), `layers/<chain id>` (one unpacked layer
//! each), `references.json`, `staging/` (work in progress), `lock`.
//! Invariants: 1. A blob's name is the sha256 of its content. 2. A layer directory is complete: it is renamed into
//! place after its content was verified. 3. A reference names a manifest whose blobs and layers are present.
//! Spec: the OCI image specification 1.1 and image layout; `docker save` archives.

mod blobs;
mod build;
mod digest;
mod import;
mod manifest;
mod reference;
mod source;
mod store;
mod unpack;

pub use build::{BuildError, ImageBuilder};
pub use digest::{Digest, DigestError};
pub use import::ImportError;
pub use manifest::ImageConfig;
pub use reference::{Reference, ReferenceError};
pub use store::{Collected, Image, ImageStore, ResolveError, StoreError};

#[cfg(test)]
mod tests;
