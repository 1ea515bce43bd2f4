//! Client library for the protocol of an edge.
