//! A binary that is nothing but a shim, for the tests of this crate: `starling-agent-test shim
//! --pod DIRECTORY`.

fn main() -> std::process::ExitCode {
    let code = nodes_shim::main(std::env::args_os().skip(2));
    std::process::ExitCode::from(u8::try_from(code).unwrap_or(1))
}
