//! The group module, in a process of its own.

fn main() -> std::process::ExitCode {
    natter_host::main::<natter_group::Group>(env!("CARGO_PKG_VERSION"))
}
