//! The project's own commands: `cargo xtask verify | generate | bench`.
fn main() {}
