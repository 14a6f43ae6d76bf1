//! RocksDB behind LogStore and StateStore.
