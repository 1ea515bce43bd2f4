//! What crosses a process: end to end, faults, load.
