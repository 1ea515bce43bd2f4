//! The message module in a process of its own.

fn main() -> std::process::ExitCode {
    natter_host::main::<natter_message::Message>(env!("CARGO_PKG_VERSION"))
}
