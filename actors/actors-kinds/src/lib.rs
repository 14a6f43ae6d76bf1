//! Kubernetes' kinds: fact tables, defaulting, validation, columns, strategies.
