//! The edge in a process of its own.

fn main() -> std::process::ExitCode {
    natter_host::main::<natter_edge::Edge>(env!("CARGO_PKG_VERSION"))
}
