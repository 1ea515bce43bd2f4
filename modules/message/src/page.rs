//! The bound of an answer that has many messages: so many, and so many bytes.

use broker_schemas::Error;
use broker_schemas::message::{Entry, PAGE_BYTES, PAGE_DEFAULT, PAGE_MAX};

/// Messages, until they are as many as asked for, or their bytes as many as fit.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) entries: Vec<Entry>,
    /// Something didn't fit.
    pub(crate) more: bool,
    /// Of each entry.
    sizes: Vec<usize>,
    bytes: usize,
    limit: usize,
}

impl Page {
    /// An empty page for `limit` messages.
    pub(crate) const fn new(limit: usize) -> Self {
        Self { entries: Vec::new(), more: false, sizes: Vec::new(), bytes: 0, limit }
    }

    /// Adds a message of `size` bytes, unless it doesn't fit; then nothing that comes after it does either. The first one
    /// always fits, so that whoever asks for the rest gets on.
    pub(crate) fn push(&mut self, entry: Entry, size: usize) -> bool {
        let fits = self.bytes + size <= PAGE_BYTES || self.entries.is_empty();
        if self.more || self.is_full() || !fits {
            self.more = true;
            return false;
        }
        self.bytes += size;
        self.sizes.push(size);
        self.entries.push(entry);
        true
    }

    pub(crate) const fn is_full(&self) -> bool {
        self.entries.len() >= self.limit
    }

    /// How many messages still fit by their number.
    pub(crate) const fn room(&self) -> usize {
        self.limit.saturating_sub(self.entries.len())
    }

    /// Drops what doesn't fit any more now that the messages have their reactions.
    pub(crate) fn cut(&mut self) {
        let mut bytes = 0;
        let over = self.entries.iter().zip(&self.sizes).position(|(entry, size)| {
            bytes += size + reactions_size(entry);
            bytes > PAGE_BYTES
        });
        if let Some(first_over) = over.map(|over| over.max(1))
            && first_over < self.entries.len()
        {
            self.entries.truncate(first_over);
            self.more = true;
        }
    }
}

fn reactions_size(entry: &Entry) -> usize {
    entry.reactions.iter().map(|reaction| reaction.reaction.len() + size_of::<u64>()).sum()
}

/// The `limit` of a request.
///
/// # Errors
/// Says what is accepted.
pub(crate) fn limit(limit: Option<u32>) -> Result<usize, Error> {
    let limit = limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(Error::invalid(format!("limit: expected 1 to {PAGE_MAX}, got {limit}")));
    }
    Ok(limit as usize)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{message, pair};
    use broker_schemas::message::Reaction;

    fn filled(limit: usize, sizes: &[usize]) -> Page {
        let mut page = Page::new(limit);
        for (seq, size) in (1..).zip(sizes) {
            page.push(message(pair(1, 2), seq, ""), *size);
        }
        page
    }

    #[test]
    fn a_page_ends_by_number_or_by_bytes_and_says_that_there_is_more() {
        let page = |limit, sizes: &[usize]| {
            let page = filled(limit, sizes);
            (page.entries.len(), page.more)
        };
        assert_eq!(page(3, &[1, 1, 1]), (3, false));
        assert_eq!(page(3, &[1, 1, 1, 1]), (3, true));
        assert_eq!(page(9, &[PAGE_BYTES, 1, 0]), (1, true));
        assert_eq!(page(9, &[PAGE_BYTES - 1, 1]), (2, false));
        assert_eq!(page(9, &[PAGE_BYTES + 1]), (1, false));
        // What follows one that doesn't fit is left out too: there are no gaps.
        assert_eq!(page(9, &[1, PAGE_BYTES, 1]), (1, true));
    }

    #[test]
    fn reactions_count_but_one_message_always_stays() {
        let mut page = filled(9, &[10, 10, 10]);
        page.cut();
        assert_eq!((page.entries.len(), page.more), (3, false));
        let reaction = Reaction { reaction: "x".repeat(PAGE_BYTES), count: 1, mine: false };
        page.entries[1].reactions.push(reaction.clone());
        page.cut();
        assert_eq!((page.entries.len(), page.more), (1, true));
        page.entries[0].reactions.push(reaction);
        page.cut();
        assert_eq!(page.entries.len(), 1);
    }

    #[test]
    fn a_limit_out_of_range_is_refused() {
        assert_eq!(limit(None).unwrap(), 50);
        assert_eq!(limit(Some(200)).unwrap(), 200);
        assert!(limit(Some(0)).is_err());
        assert!(limit(Some(201)).is_err());
    }
}
