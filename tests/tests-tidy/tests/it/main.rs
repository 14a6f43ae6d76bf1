//! The ratchets of this checkout: each test is one rule, and names the file that breaks it.

mod architecture;
mod documents;
mod rules;
mod sources;
