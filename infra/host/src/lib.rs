//! What every process of Natter stands on.
