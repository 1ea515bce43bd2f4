//! The user module in a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    natter_host::main::<natter_user::User>(env!("CARGO_PKG_VERSION"))
}
