//! The door as a script: requests in, answers and stored keys out.
//!
//! A script has one request after another: `VERB PATH`, its body indented as YAML; `@ USER GROUP…`
//! changes who asks, `+5s` lets time pass, `? a.b.c` shows a part of the last answer. The trace
//! shows the code, what the answer is, and each key that the store took (`+`) or dropped (`-`).

mod access;
mod allocation;
mod apply;
mod certificates;
mod credentials;
mod deletion;
mod deltas;
mod events;
mod evictions;
mod harness;
mod hostile;
mod kinds;
mod limits;
mod nodes;
mod parts;
mod pods;
mod protobuf;
mod quotas;
mod races;
mod reads;
mod resizes;
mod revisions;
mod rows;
mod secrets;
mod subresources;
mod watches;
mod writes;

use harness::check;
