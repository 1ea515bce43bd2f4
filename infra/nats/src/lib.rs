//! The NATS server of a Natter installation: credentials, permissions, configuration, child process.
