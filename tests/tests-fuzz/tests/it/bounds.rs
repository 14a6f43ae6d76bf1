//! What decoding may cost: measured once, doubled, and held since.

use tests_fuzz::Bounds;

/// An empty text of two bytes becomes a value in a list that grows by doubling.
pub(crate) const JSON: Bounds =
    Bounds { peak: (16 << 10, 160), total: (16 << 10, 320), nanos: (50_000_000, 10_000) };

/// Its reader scans for anchors and positions, and keeps events; aliases may be replayed 50,000 times.
pub(crate) const YAML: Bounds =
    Bounds { peak: (24 << 20, 1_000), total: (64 << 20, 4_000), nanos: (1_000_000_000, 40_000) };

/// An empty message of two bytes becomes an object whose fields that are always shown stand there.
pub(crate) const PROTOBUF: Bounds =
    Bounds { peak: (64 << 10, 1_000), total: (64 << 10, 2_000), nanos: (50_000_000, 40_000) };

/// Patches are bounded by what they may copy, and by how many operations they have.
pub(crate) const PATCH: Bounds =
    Bounds { peak: (64 << 20, 4_000), total: (256 << 20, 20_000), nanos: (500_000_000, 100_000) };

/// Selectors, amounts and other short texts.
pub(crate) const SHORT: Bounds =
    Bounds { peak: (16 << 10, 400), total: (64 << 10, 1_600), nanos: (50_000_000, 10_000) };
