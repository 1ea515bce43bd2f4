//! Natter in a terminal: `natter chat` for people, `natter chat --plain` for scripts and simple terminals, `natter call`
//! for one call, and `natter admin` for those who run the platform.
//!
//! The way of a key press: `screen` or `plain` makes it an input, the model's `update` makes that a new state and
//! some effects, `runner` carries the effects out, and what becomes of them is an input again. Only `runner` knows the
//! network, only `screen` the terminal; the model knows neither, so both modes share it and tests need no server.
//!
//! Text of other people reaches a terminal only as `text::Safe`.

mod admin;
mod call;
mod chat;
mod exit;
mod model;
mod plain;
mod requests;
mod runner;
mod screen;
mod text;
mod token;

pub use admin::{AdminArgs, ConsoleGrant, admin};
pub use call::{CallArgs, call};
pub use chat::{ChatArgs, chat};
pub use exit::exit_code;
