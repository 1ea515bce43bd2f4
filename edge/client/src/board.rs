//! Which announcements the application was told.

use std::collections::BTreeMap;

use broker_schemas::admin::AnnouncedEvent;
use broker_schemas::announcement::SeenRevision;

/// How many announcements are remembered; past it, the oldest one is forgotten.
const REMEMBERED: usize = 1_024;

/// Announcements that were told, in which wording.
#[derive(Debug, Default)]
pub(crate) struct Board(BTreeMap<u64, Told>);

#[derive(Debug, Clone, Copy)]
struct Told {
    revision: u32,
    withdrawn: bool,
}

impl Board {
    /// An announcement was pushed. It comes back if the application is to be told.
    pub(crate) fn push(&mut self, event: AnnouncedEvent) -> Option<AnnouncedEvent> {
        let before = self.0.get(&event.announcement).copied();
        let withdrawn = event.text.is_none();
        let news = match before {
            // Also when it was never told: a list that was asked for before may still bring it.
            None => !withdrawn,
            Some(told) if told.withdrawn => return None,
            Some(told) => withdrawn || event.revision > told.revision,
        };
        if !news && before.is_some() {
            return None;
        }
        self.0.insert(event.announcement, Told { revision: event.revision, withdrawn });
        if self.0.len() > REMEMBERED {
            self.0.pop_first();
        }
        news.then_some(event)
    }

    /// The server listed what was not seen: what of it is new here, and what is not.
    pub(crate) fn list(&mut self, listed: Vec<AnnouncedEvent>) -> (Vec<AnnouncedEvent>, Vec<SeenRevision>) {
        let (mut new, mut known) = (Vec::new(), Vec::new());
        for event in listed {
            let AnnouncedEvent { announcement, revision, .. } = event;
            match self.push(event) {
                Some(event) => new.push(event),
                None => known.push(SeenRevision { announcement, revision }),
            }
        }
        (new, known)
    }
}

#[cfg(test)]
mod tests {
    use broker_schemas::Timestamp;

    use super::*;

    fn announced(announcement: u64, revision: u32) -> AnnouncedEvent {
        AnnouncedEvent { announcement, revision, text: Some("hello".into()), until: Timestamp(1) }
    }

    fn withdrawn(announcement: u64, revision: u32) -> AnnouncedEvent {
        AnnouncedEvent { text: None, ..announced(announcement, revision) }
    }

    #[test]
    fn each_wording_is_told_once_however_often_it_comes() {
        let mut board = Board::default();
        assert!(board.push(announced(1, 1)).is_some());
        assert!(board.push(announced(1, 1)).is_none());
        assert!(board.push(announced(1, 2)).is_some());
        // A list that was made before the change.
        let (new, known) = board.list(vec![announced(1, 1), announced(2, 1)]);
        assert_eq!(new, [announced(2, 1)]);
        assert_eq!(known, [SeenRevision { announcement: 1, revision: 1 }]);
    }

    #[test]
    fn a_withdrawal_is_told_to_who_was_told_and_nothing_of_it_comes_after() {
        let mut board = Board::default();
        assert!(board.push(withdrawn(1, 1)).is_none());
        assert!(board.push(announced(1, 1)).is_none());
        board.push(announced(2, 1));
        assert_eq!(board.push(withdrawn(2, 1)), Some(withdrawn(2, 1)));
        assert!(board.push(withdrawn(2, 1)).is_none());
        assert!(board.push(announced(2, 2)).is_none());
    }

    #[test]
    fn the_board_has_a_bound() {
        let mut board = Board::default();
        for announcement in 1..=2 * REMEMBERED as u64 {
            board.push(announced(announcement, 1));
        }
        assert_eq!(board.0.len(), REMEMBERED);
    }
}
