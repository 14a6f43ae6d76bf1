//! Fault points as a closed list, so that a run of many seeds can tell which were never reached.
//!
//! Way in: [`fault_points!`](crate::fault_points!) declares them, [`buggify!`](crate::buggify!)
//! asks one of them.

/// Declares the fault points of a world: an enum with `ALL` and `name`.
#[macro_export]
macro_rules! fault_points {
    ($(#[$about:meta])* $vis:vis enum $points:ident {
        $($(#[$doc:meta])* $site:ident = $name:literal,)*
    }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $vis enum $points {
            $($(#[$doc])* $site,)*
        }

        impl $points {
            /// All of them.
            $vis const ALL: &'static [Self] = &[$(Self::$site,)*];

            /// What a table of coverage calls it.
            #[must_use]
            $vis const fn name(self) -> &'static str {
                match self {
                    $(Self::$site => $name,)*
                }
            }
        }
    };
}

/// Whether a fault point fires now: it is armed once per seed, then it fires by chance.
#[macro_export]
macro_rules! buggify {
    ($host:expr, $site:expr) => {
        $host.buggify().at($site.name())
    };
}
