//! The plans that come with the binary, as the files that they are.
//!
//! Way in: [`Plan::named`], [`Plan::names`], [`Plan::text`].

use crate::{Plan, PlanError};

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../plans/", $name, ".yaml")))),*]
    };
}

/// Name and text; those with a mistake planted come last.
const FILES: [(&str, &str); 19] = files![
    "usual",
    "agents",
    "processes",
    "busy",
    "links",
    "disks",
    "clocks",
    "quorum-lost",
    "actors",
    "planted/ack-before-sync",
    "planted/lost-watch-event",
    "planted/stale-read-duplicate",
    "planted/unconfirmed-refusal",
    "planted/no-fence",
    "planted/double-activation",
    "planted/ignored-deadline",
    "planted/lost-down",
    "planted/two-activations",
    "planted/late-timer",
];

impl Plan {
    /// The names of all plans of ours.
    pub fn names() -> impl Iterator<Item = &'static str> {
        FILES.iter().map(|(name, _)| *name)
    }

    /// The file of the plan of this name.
    #[must_use]
    pub fn text(name: &str) -> Option<&'static str> {
        FILES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
    }

    /// The plan of this name.
    ///
    /// # Errors
    /// If there is none.
    pub fn named(name: &str) -> Result<Self, PlanError> {
        let text = Self::text(name).ok_or_else(|| {
            let names: Vec<&str> = Self::names().collect();
            PlanError::of("plan", format!("there is no {name:?}; there are {}", names.join(", ")))
        })?;
        Self::read(name, text)
    }
}
