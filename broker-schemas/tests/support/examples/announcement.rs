//! Examples of the announcement service.

use broker_schemas::admin::AnnouncedEvent;
use broker_schemas::announcement::{ListUnseen, MarkSeen, SeenRevision, Unseen};
use broker_schemas::{Done, Timestamp, id};

use super::{Example, list, reply, request, then};

pub(super) fn examples() -> Vec<Example> {
    let announced = AnnouncedEvent {
        announcement: 3,
        revision: 2,
        text: Some("Closed on \"Sunday\".\n📚".into()),
        until: then(),
    };
    let seen = SeenRevision { announcement: 3, revision: 2 };
    vec![
        request("what was not seen", &ListUnseen {}),
        reply::<ListUnseen>("nothing", &Unseen { announcements: Vec::new() }),
        reply::<ListUnseen>("one", &Unseen { announcements: vec![announced] }),
        request("nothing", &MarkSeen { seen: list(Vec::new()) }),
        request(
            "two",
            &MarkSeen {
                seen: list(vec![seen, SeenRevision { announcement: id::MAX_ID, revision: u32::MAX }]),
            },
        ),
        reply::<MarkSeen>("done", &Done {}),
        reply::<ListUnseen>(
            "withdrawn",
            &Unseen {
                announcements: vec![AnnouncedEvent {
                    announcement: 1,
                    revision: 1,
                    text: None,
                    until: Timestamp(0),
                }],
            },
        ),
    ]
}
