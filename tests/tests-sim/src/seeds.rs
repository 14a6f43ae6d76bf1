//! Which seeds are run: half of them always the same, half drawn from the commit.
//!
//! Way in: [`Seeds::chosen`].

use std::process::Command;

use sha2::{Digest, Sha256};

/// The seeds of one run of the tests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seeds {
    /// The commit that the second half was drawn from.
    pub commit: String,
    /// The seeds.
    pub numbers: Vec<u64>,
}

impl Seeds {
    /// How many seeds are run unless `STARLING_SEEDS` says otherwise.
    pub const USUAL: usize = 100;

    /// `count` seeds for the commit that is checked out.
    #[must_use]
    pub fn chosen(count: usize) -> Self {
        let commit = commit();
        let fixed = count.div_ceil(2);
        let drawn = (0..count - fixed).map(|place| {
            let digest = Sha256::digest(format!("{commit} {place}"));
            let bytes: [u8; 8] = digest[..8].try_into().unwrap_or_default();
            // Behind the fixed ones, and short enough to be typed.
            1_000_000 + u64::from_be_bytes(bytes) % 1_000_000_000
        });
        let numbers = (1..=fixed as u64).chain(drawn).collect();
        Self { commit, numbers }
    }
}

/// The commit that is checked out; outside of a checkout a fixed word.
fn commit() -> String {
    let asked = Command::new("git").args(["rev-parse", "HEAD"]).output();
    let text = asked.ok().filter(|output| output.status.success()).map(|output| output.stdout);
    let text = text.and_then(|bytes| String::from_utf8(bytes).ok());
    text.map_or_else(|| "no commit".to_owned(), |text| text.trim().to_owned())
}
