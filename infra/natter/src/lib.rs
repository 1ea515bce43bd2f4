//! One program for all of Natter: serve, chat, call, and tools for operators.
