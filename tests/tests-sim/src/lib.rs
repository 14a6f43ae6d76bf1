//! The whole cluster in one thread, from seeds.
