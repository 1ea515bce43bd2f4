//! The admin module, in a process of its own.

fn main() -> std::process::ExitCode {
    natter_host::main::<natter_admin::Admin>(env!("CARGO_PKG_VERSION"))
}
