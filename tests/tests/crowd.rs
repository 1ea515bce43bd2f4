//! A message to a group costs one row and one message on the bus, whatever the size of the group. `make bench` does the same
//! with 1,000 members and says how long it takes.

use std::collections::BTreeMap;

use natter_tests::crowd::{self, Crowd};
use natter_tests::{Platform, on_both_databases};

const MEMBERS: usize = 60;

on_both_databases! {
    async fn a_message_to_many_is_stored_once_published_once_and_delivered_to_each(backend: Backend) {
        let mut platform = Platform::distributed_with(backend, crowd::SETTINGS).await;
        platform.start("edge2").await;
        let edges = [platform.tcp().await, platform.tcp_of("edge2").await];
        let mut crowd = Crowd::gather(&platform, &edges, MEMBERS).await;
        for _ in 0..3 {
            let reach = crowd.send(&platform).await;
            // The message itself, and what a search finds it by.
            let rows = BTreeMap::from([("message".to_owned(), 1), ("search".to_owned(), 1)]);
            assert_eq!(reach.rows, rows);
            assert_eq!(reach.publishes, BTreeMap::from([(crowd.subject(), 1)]));
            assert_eq!(reach.deliveries, MEMBERS);
        }
    }
}
