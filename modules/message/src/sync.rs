//! `message.sync`: what a client doesn't have yet, of all its user's conversations.

use std::collections::HashMap;

use broker_schemas::message::{Missed, PAGE_MAX, Standing, Sync};
use broker_schemas::{SignedIn, UserId};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::page::Page;
use crate::store::{Changes, Range, Store};
use crate::unread::CONVERSATIONS_MAX;

/// In how many conversations one query looks for changes.
const AT_ONCE: usize = 128;

impl Handle<Sync> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Sync) -> Result<Missed> {
        missed(&self.store, call.caller.user(), &request).await
    }
}

async fn missed(store: &Store, user: UserId, request: &Sync) -> Result<Missed> {
    let standings = store.standings(user, CONVERSATIONS_MAX).await?;
    let held: HashMap<_, _> =
        standings.iter().map(|standing| (standing.conversation, held(request, standing))).collect();
    let missing: Vec<_> = standings
        .iter()
        .map(|standing| Range {
            conversation: standing.conversation,
            after: held[&standing.conversation],
            to: standing.last_seq,
        })
        .filter(|range| range.after < range.to)
        .collect();
    let stale: Vec<_> = standings
        .iter()
        .filter_map(|standing| {
            let known = *request.revisions.as_ref()?.get(&standing.conversation)?;
            let to = held[&standing.conversation].min(standing.last_seq);
            let changes = Changes {
                conversation: standing.conversation,
                after_revision: known,
                first: standing.first_seq,
                to,
            };
            (known < standing.revision && standing.first_seq <= to).then_some(changes)
        })
        .collect();

    // What is new comes first: a client that has it can show where everything stands.
    let mut page = Page::new(PAGE_MAX as usize);
    let ranges = first_of(&missing, page.room());
    store.ranges(&mut page, &ranges).await?;
    let messages = page.entries.len();
    let mut all_changes = true;
    for changes in stale.chunks(AT_ONCE) {
        if page.more || page.is_full() {
            all_changes = false;
            break;
        }
        store.changed(&mut page, changes).await?;
    }
    store.add_reactions(&mut page, user).await?;

    let changed = page.entries.split_off(messages.min(page.entries.len()));
    let mut reached = held;
    for message in &page.entries {
        reached.insert(message.conversation, message.seq.get());
    }
    let all_messages = missing.iter().all(|range| reached[&range.conversation] >= range.to);
    Ok(Missed { messages: page.entries, changed, more: page.more || !all_messages || !all_changes })
}

/// Up to where the client has everything that its user may read in a conversation.
fn held(request: &Sync, standing: &Standing) -> u64 {
    let have = request.have.get(&standing.conversation).copied().unwrap_or(standing.read_seq);
    have.max(standing.first_seq.saturating_sub(1))
}

/// The first `room` messages of these ranges. Places have no gaps, so the number of messages is known beforehand, and
/// nothing is read for nothing.
fn first_of(ranges: &[Range], mut room: usize) -> Vec<Range> {
    let mut first = Vec::new();
    for range in ranges {
        if room == 0 {
            break;
        }
        let most = range.after.saturating_add(room as u64);
        let range = Range { to: range.to.min(most), ..*range };
        room -= usize::try_from(range.to - range.after).unwrap_or(room);
        first.push(range);
    }
    first
}
