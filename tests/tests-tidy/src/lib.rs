//! The ratchets: direction, purity, sizes, documents.
