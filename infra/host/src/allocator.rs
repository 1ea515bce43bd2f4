//! Where memory comes from, in every program that stands on this crate.
//!
//! Of glibc's allocator each thread has its own part, which keeps what was needed at the worst moment: in a soak of twenty
//! minutes a message module had 25 MiB, of which it used 11, and more after each outage. jemalloc gives back what has not been
//! used for ten seconds. It is for our own code only: as everybody's `malloc` it would hang with libraries that are loaded before
//! all others, such as libfaketime.

use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;
