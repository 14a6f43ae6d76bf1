//! A request's way to a transaction: authorization, defaulting, admission, validation, sealing.
