//! Fault points inside the product's own code, switched on by a seed.
//!
//! Way in: [`Buggify::at`].  Spec: FoundationDB's BUGGIFY: a site is armed once per seed and then fires by chance.

use std::collections::BTreeMap;

use crate::Rng;

/// Decides whether a named fault point fires. Disarmed (the default) it never does and draws nothing.
#[derive(Debug, Clone, Default)]
pub struct Buggify {
    rng: Option<Rng>,
    sites: BTreeMap<&'static str, Site>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Site {
    armed: bool,
    fired: u64,
}

impl Buggify {
    /// One site in four is armed in a seed.
    const ARMED_PER_MILLION: u32 = 250_000;
    /// An armed site fires this often.
    const FIRES_PER_MILLION: u32 = 50_000;

    /// Fault points on, drawn from `rng`.
    #[must_use]
    pub fn armed(rng: Rng) -> Self {
        Self { rng: Some(rng), sites: BTreeMap::new() }
    }

    /// Whether the fault at `site` happens now. `site` is a literal: `"store.persist.slow"`.
    pub fn at(&mut self, site: &'static str) -> bool {
        let Some(rng) = self.rng.as_mut() else { return false };
        let entry = self.sites.entry(site).or_insert_with(|| Site {
            armed: rng.derive(site).chance(Self::ARMED_PER_MILLION),
            fired: 0,
        });
        let fires = entry.armed && rng.chance(Self::FIRES_PER_MILLION);
        entry.fired += u64::from(fires);
        fires
    }

    /// Every site that was reached, with how often it fired: the coverage of a run.
    pub fn coverage(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        self.sites.iter().map(|(site, state)| (*site, state.fired))
    }
}
