//! The friend module, in a process of its own.

fn main() -> std::process::ExitCode {
    natter_host::main::<natter_friend::Friend>(env!("CARGO_PKG_VERSION"))
}
