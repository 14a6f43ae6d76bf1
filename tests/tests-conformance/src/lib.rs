//! Conformance: what Kubernetes' users may rely on. The tests are in `tests/it`.
