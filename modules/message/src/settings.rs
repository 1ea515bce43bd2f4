//! Section `[message]` of the configuration.

use serde::{Deserialize, Serialize};

/// Section `[message]` of the configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How many messages a user may send at once before the rate below applies, 1 or more. Per copy of the module.
    pub send_burst: u32,
    /// How many messages a user may send per second on average; 0 for no limit. Per copy of the module.
    pub send_per_second: u32,
    /// The most messages in one transaction, 1 to 1024.
    pub batch: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { send_burst: 20, send_per_second: 5, batch: 256 }
    }
}
