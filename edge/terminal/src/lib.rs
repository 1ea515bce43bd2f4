//! Natter in a terminal.
