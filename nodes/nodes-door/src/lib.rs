//! A request's way to a transaction: authorization, defaulting, admission, validation, sealing.
//!
//! Way in: [`Request`], [`Response`].  Never: a clock, a socket, or a write that does not pass here.

mod request;
mod response;

pub use request::{
    Body, FieldValidation, Identity, Media, Options, PatchKind, Request, Target, Verb,
};
pub use response::{Entry, List, Response, ResponseBody, WatchEvent};
