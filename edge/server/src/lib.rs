//! Bridges client sockets to the bus.
