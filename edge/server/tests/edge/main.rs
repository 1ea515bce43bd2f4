//! An edge between real sockets and a real bus, with a service that does what the tests ask for.

mod calls;
mod client;
mod demo;
mod drain;
mod hostile;
mod measure;
mod sessions;
mod world;
