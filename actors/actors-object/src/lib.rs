//! The object tree and its encodings, metadata, quantities, selectors, patches.
