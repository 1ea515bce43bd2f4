//! The bound of an answer that has many entries: so many, and so many bytes.

use broker_schemas::Error;
use broker_schemas::admin::{PAGE_DEFAULT, PAGE_MAX};
use serde::Serialize;

use crate::Checked;

/// The most of one answer in bytes of JSON: half of what a frame holds.
const PAGE_BYTES: usize = 512 * 1024;

/// The `limit` of a request.
///
/// # Errors
/// Says what is accepted.
pub(crate) fn limit(limit: Option<u32>) -> Checked<u32> {
    let limit = limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Error::invalid(format!("limit: expected 1 to {PAGE_MAX}, got {limit}")));
    }
    Ok(limit)
}

/// The first of `entries`, as many as fit, and whether something didn't. The first one always fits, so that whoever asks for
/// the rest gets on.
pub(crate) fn fit<T: Serialize>(mut entries: Vec<T>, limit: u32) -> (Vec<T>, bool) {
    let mut bytes = 0;
    let over = entries.iter().position(|entry| {
        bytes += serde_json::to_vec(entry).map_or(0, |json| json.len());
        bytes > PAGE_BYTES
    });
    let fits = over.map_or(usize::MAX, |over| over.max(1)).min(limit as usize);
    let more = entries.len() > fits;
    entries.truncate(fits);
    (entries, more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_at_its_number_or_at_its_bytes_and_is_never_empty() {
        assert_eq!(fit(vec![1, 2, 3], 2), (vec![1, 2], true));
        assert_eq!(fit(vec![1, 2], 2), (vec![1, 2], false));
        let long = "x".repeat(PAGE_BYTES / 2);
        let (entries, more) = fit(vec![long.clone(); 3], 50);
        assert_eq!((entries.len(), more), (1, true));
        let (entries, more) = fit(vec!["x".repeat(PAGE_BYTES * 2), long], 50);
        assert_eq!((entries.len(), more), (1, true));
    }

    #[test]
    fn a_limit_out_of_range_is_refused() {
        assert_eq!(limit(None).unwrap(), 50);
        assert_eq!(limit(Some(200)).unwrap(), 200);
        assert!(limit(Some(0)).is_err() && limit(Some(201)).is_err());
    }
}
