//! Hunts for inputs that a decoder does not take as it should: mutations of a corpus that grows by what behaves anew.
//!
//! Way in: [`hunt`] with a [`Prey`]; [`grow`] makes trees of a kind for its corpus; [`metered`] says what one piece of
//! work cost.
//! Why not by coverage: that needs a compiler built for it. What an input did (accepted or refused, and why, how deep,
//! how large) stands in for it: an input that did something new joins the corpus.
//! Repeats: the same seeds give the same inputs; a failure prints its input made small.

#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a hunt stops where a decoder is not as it must be, and says what it did"
)]

mod grow;
mod hunt;
mod meter;
mod mutate;

pub use grow::{grow, spoil};
pub use hunt::{Prey, hunt};
pub use meter::{Bounds, metered};
