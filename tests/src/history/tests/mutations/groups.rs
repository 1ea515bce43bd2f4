//! Wrongs about who is in a group, about what stands there of it, and about messages that change.

use uuid::Uuid;

use super::{last_reads, stays};
use crate::history::checker::notice_id;
use crate::history::tests::{acked, all, event_mut, events};
use crate::history::{Event, Invariant, Line, Operation, Step};
use crate::random::Random;

type Named = Option<(Invariant, Uuid)>;

/// A leaving that was acked and tells so, of somebody who has not come back, and its place.
fn leavings(lines: &[Line]) -> Vec<(usize, Event, u64)> {
    let joined = all(lines, Operation::Join, Step::Invoke);
    let mut found = Vec::new();
    for (at, event) in all(lines, Operation::Leave, Step::Ok) {
        let again = joined.iter().any(|(later, join)| {
            *later > at && join.user == event.user && join.conversation == event.conversation
        });
        // Of several times, which place is whose is the checker's art; here there is one.
        let once = all(lines, Operation::Leave, Step::Invoke)
            .iter()
            .filter(|(_, other)| other.notice == event.notice && other.conversation == event.conversation)
            .count()
            == 1;
        let place = last_reads(lines)
            .into_iter()
            .find(|(_, read)| read.notice == event.notice && read.conversation == event.conversation);
        if let (false, true, Some((_, Event { seq: Some(seq), .. }))) = (again, once, place) {
            found.push((at, event, seq));
        }
    }
    found
}

/// A joining that was acked and shows only what follows, and its place.
fn joinings(lines: &[Line]) -> Vec<(usize, Event, u64)> {
    let mut found = Vec::new();
    for (at, event) in all(lines, Operation::Join, Step::Ok) {
        if event.notice.is_none() || event.seq.is_some() {
            continue;
        }
        let once = all(lines, Operation::Join, Step::Invoke)
            .iter()
            .filter(|(_, other)| other.notice == event.notice && other.conversation == event.conversation)
            .count()
            == 1;
        let place = last_reads(lines)
            .into_iter()
            .find(|(_, read)| read.notice == event.notice && read.conversation == event.conversation);
        if let (true, Some((_, Event { seq: Some(seq), .. }))) = (once, place) {
            found.push((at, event, seq));
        }
    }
    found
}

/// The message right behind the notice of a leaving reaches who has left, whenever it was sent.
pub(super) fn leak_behind_the_leaving(lines: &mut Vec<Line>, _: &mut Random) -> Named {
    for (_, gone, place) in leavings(lines) {
        let behind = all(lines, Operation::Deliver, Step::Ok).into_iter().find(|(_, sight)| {
            sight.conversation == gone.conversation
                && sight.seq == Some(place + 1)
                && sight.client_id.is_some()
        });
        if let Some((at, sight)) = behind {
            let client_id = sight.client_id?;
            lines.insert(at + 1, Line::Event(Event { user: gone.user, device: gone.device, ..sight }));
            return Some((Invariant::I8, client_id));
        }
    }
    None
}

/// What stands before the notice of a joining reaches who has joined.
pub(super) fn leak_to_a_joiner(lines: &mut Vec<Line>, random: &mut Random) -> Named {
    let (at, sight) = from_before(lines, random, Operation::Deliver)?;
    let client_id = sight.client_id?;
    lines.insert(at, Line::Event(sight));
    Some((Invariant::I8, client_id))
}

/// What stands before the notice of a joining is read by who has joined.
pub(super) fn read_from_before(lines: &mut Vec<Line>, random: &mut Random) -> Named {
    let (_, sight) = from_before(lines, random, Operation::Sync)?;
    let client_id = sight.client_id?;
    let end = lines.len();
    let at = lines
        .iter()
        .filter_map(|line| if let Line::Event(event) = line { Some(event.at) } else { None })
        .max()?;
    let sync = |step| Event { at: at + 1, ..Event::new(Operation::Sync, step, sight.user, sight.device) };
    let within = |event: Event| Line::Event(event.within(&sight.conversation));
    lines.splice(
        end..,
        [
            within(sync(Step::Invoke)),
            Line::Event(Event { at: at + 1, ..sight.clone() }),
            within(sync(Step::Ok)),
        ],
    );
    Some((Invariant::I8, client_id))
}

/// Such a message, as who has joined would see it, and where the history then is. Nobody who was there before counts.
fn from_before(lines: &[Line], random: &mut Random, operation: Operation) -> Option<(usize, Event)> {
    let mut found = Vec::new();
    for (joined, event, place) in joinings(lines) {
        let invoked = all(lines, Operation::Join, Step::Invoke)
            .into_iter()
            .find(|(_, other)| other.notice == event.notice && other.conversation == event.conversation)?
            .0;
        let left = all(lines, Operation::Leave, Step::Ok).into_iter().find(|(at, other)| {
            *at < invoked && other.user == event.user && other.conversation == event.conversation
        });
        // Of its first stay it may still have what came then.
        let (Some((left, _)), true) = (left, place > 1) else { continue };
        for (_, sight) in last_reads(lines) {
            let sent = all(lines, Operation::Send, Step::Invoke)
                .into_iter()
                .find(|(_, send)| send.client_id.is_some() && send.client_id == sight.client_id);
            let Some((sent, _)) = sent else { continue };
            if sight.conversation == event.conversation && sight.seq < Some(place) && sent > left {
                let leaked =
                    Event { operation, user: event.user, device: event.device, at: event.at, ..sight };
                found.push((joined + 1, leaked));
            }
        }
    }
    (!found.is_empty()).then(|| random.pick(&found).clone())
}

/// A read that began after an acked leaving shows something.
pub(super) fn read_after_leaving(lines: &mut Vec<Line>, _: &mut Random) -> Named {
    for (gone_at, gone, place) in leavings(lines) {
        let refused = all(lines, Operation::Sync, Step::Fail).into_iter().find(|(at, event)| {
            *at > gone_at + 1 && event.user == gone.user && event.conversation == gone.conversation
        });
        let before = last_reads(lines).into_iter().find(|(_, sight)| {
            sight.conversation == gone.conversation && sight.seq < Some(place) && sight.client_id.is_some()
        });
        let (Some((at, refused)), Some((_, sight))) = (refused, before) else { continue };
        let invoked = lines[..at].iter().rposition(|line| {
            matches!(line, Line::Event(event) if event.operation == Operation::Sync && event.step == Step::Invoke
                && event.user == gone.user && event.conversation == gone.conversation)
        })?;
        if invoked < gone_at {
            continue;
        }
        event_mut(lines, at).step = Step::Ok;
        let client_id = sight.client_id?;
        lines
            .insert(at, Line::Event(Event { at: refused.at, user: gone.user, device: gone.device, ..sight }));
        return Some((Invariant::I8, client_id));
    }
    None
}

/// A change of a message that was made after an acked leaving reaches who has left and has not come back.
pub(super) fn leak_an_edit_to_a_leaver(lines: &mut Vec<Line>, _: &mut Random) -> Named {
    let (joined, edits) =
        (all(lines, Operation::Join, Step::Invoke), all(lines, Operation::Edit, Step::Invoke));
    for (gone_at, gone) in all(lines, Operation::Leave, Step::Ok) {
        if joined.iter().any(|(later, join)| {
            *later > gone_at && join.user == gone.user && join.conversation == gone.conversation
        }) {
            continue;
        }
        for (at, made) in all(lines, Operation::Edit, Step::Ok) {
            let same_place = |edit: &&(usize, Event)| {
                (&edit.1.conversation, edit.1.seq) == (&made.conversation, made.seq) && edit.0 < at
            };
            // The last one before the answer is the one that is answered.
            let Some((_, edit)) = edits.iter().rfind(same_place) else { continue };
            // No earlier one that is unknown may have said the same.
            let mut same = edits.iter().filter(same_place).filter(|(_, other)| other.body == edit.body);
            let is_later = same.all(|(began, other)| *began > gone_at && other.at > gone.at);
            if made.conversation == gone.conversation && is_later {
                let told = Event { operation: Operation::Update, body: edit.body, ..made };
                let leaked = Event { user: gone.user, device: gone.device, ..told };
                lines.insert(at + 1, Line::Event(leaked));
                return Some((Invariant::I8, Uuid::nil()));
            }
        }
    }
    None
}

/// A message of somebody else is said to have been sent by who had left before.
pub(super) fn accept_from_a_leaver(lines: &mut Vec<Line>, _: &mut Random) -> Named {
    for (gone_at, gone, _) in leavings(lines) {
        let later = all(lines, Operation::Send, Step::Invoke).into_iter().find(|(at, send)| {
            *at > gone_at
                && send.conversation == gone.conversation
                && acked(lines).iter().any(|(_, ack)| ack.client_id == send.client_id)
        });
        let Some((_, Event { client_id: Some(client_id), .. })) = later else { continue };
        for line in lines.iter_mut() {
            let Line::Event(event) = line else { continue };
            if event.client_id == Some(client_id) {
                match event.operation {
                    Operation::Send => (event.user, event.device) = (gone.user, gone.device),
                    _ => event.from = Some(gone.user),
                }
            }
        }
        return Some((Invariant::I8, client_id));
    }
    None
}

/// A notice as somebody saw it.
fn notices(lines: &[Line], operation: Operation) -> Vec<(usize, Event)> {
    let mut seen = all(lines, operation, Step::Ok);
    seen.retain(|(_, event)| event.client_id.is_none() && event.notice.is_some());
    seen
}

fn id(event: &Event) -> Option<Uuid> {
    Some(notice_id(&event.conversation, event.seq?, event.notice.as_deref()?))
}

fn pick(found: &[(usize, Event)], random: &mut Random) -> Option<(usize, Event)> {
    (!found.is_empty()).then(|| random.pick(found).clone())
}

/// Whether each change with this notice was acked.
fn all_acked(lines: &[Line], of: &Event) -> bool {
    let mut steps = events(lines).filter(|(_, event)| {
        event.notice == of.notice
            && event.conversation == of.conversation
            && !matches!(event.operation, Operation::Deliver | Operation::Sync | Operation::Update)
    });
    steps.all(|(_, event)| matches!(event.step, Step::Invoke | Step::Ok))
}

pub(super) fn drop_notice_from_a_view(lines: &mut Vec<Line>, random: &mut Random) -> Named {
    let mut seen = notices(lines, Operation::Deliver);
    seen.retain(|(_, event)| stays(lines, event) && all_acked(lines, event));
    let (at, event) = pick(&seen, random)?;
    lines.remove(at);
    Some((Invariant::I1, id(&event)?))
}

pub(super) fn lose_notice(lines: &mut Vec<Line>, random: &mut Random) -> Named {
    let mut seen = last_reads(lines);
    seen.retain(|(_, event)| event.notice.is_some() && all_acked(lines, event));
    let (_, lost) = pick(&seen, random)?;
    lines.retain(|line| {
        !matches!(line, Line::Event(event) if event.client_id.is_none() && event.notice == lost.notice
            && event.conversation == lost.conversation && event.seq == lost.seq
            && matches!(event.operation, Operation::Deliver | Operation::Sync))
    });
    Some((Invariant::I1, Uuid::nil()))
}

/// It stands once more at the end, for all who read.
pub(super) fn repeat_notice(lines: &mut Vec<Line>, random: &mut Random) -> Named {
    let mut seen = last_reads(lines);
    seen.retain(|(_, event)| event.notice.is_some() && all_acked(lines, event));
    let (_, again) = pick(&seen, random)?;
    let next = super::last_place(lines, &again.conversation) + 1;
    let ends = all(lines, Operation::Sync, Step::Ok);
    let ends: Vec<_> = ends
        .into_iter()
        .filter(|(_, event)| event.seq.is_none() && event.conversation == again.conversation)
        .collect();
    for (at, end) in ends.into_iter().rev() {
        let extra =
            Event { seq: Some(next), user: end.user, device: end.device, at: end.at, ..again.clone() };
        lines.insert(at, Line::Event(extra));
    }
    Some((Invariant::I2, Uuid::nil()))
}

pub(super) fn make_up_notice(lines: &mut Vec<Line>, random: &mut Random) -> Named {
    let (at, mut event) = pick(&notices(lines, Operation::Deliver), random)?;
    event.notice = Some("kicked 999".into());
    *event_mut(lines, at) = event.clone();
    Some((Invariant::I2, id(&event)?))
}

pub(super) fn wrong_author(lines: &mut Vec<Line>, random: &mut Random) -> Named {
    let (_, wrong) = pick(&notices(lines, Operation::Deliver), random)?;
    for line in lines.iter_mut() {
        if let Line::Event(event) = line
            && event.client_id.is_none()
            && (&event.notice, &event.conversation, event.seq)
                == (&wrong.notice, &wrong.conversation, wrong.seq)
            && matches!(event.operation, Operation::Deliver | Operation::Sync)
        {
            event.from = Some(999);
        }
    }
    Some((Invariant::I2, id(&wrong)?))
}

pub(super) fn differ(lines: &mut Vec<Line>, random: &mut Random) -> Named {
    let (at, event) = pick(&notices(lines, Operation::Deliver), random)?;
    let others = notices(lines, Operation::Deliver);
    let other = others.iter().find(|(_, other)| {
        other.conversation == event.conversation && other.notice != event.notice && other.seq != event.seq
    });
    let seen_by_others = others.iter().any(|(other, sight)| {
        *other != at && (&sight.conversation, sight.seq) == (&event.conversation, event.seq)
    });
    let (Some((_, other)), true) = (other, seen_by_others) else { return None };
    event_mut(lines, at).notice.clone_from(&other.notice);
    Some((Invariant::I5, Uuid::nil()))
}

/// A message that was changed, as somebody read it in the end.
fn edited(lines: &[Line], random: &mut Random) -> Option<(usize, Event)> {
    let mut seen = last_reads(lines);
    seen.retain(|(_, event)| event.client_id.is_some() && event.revision > Some(0));
    pick(&seen, random)
}

pub(super) fn forget_an_edit_for_one(lines: &mut Vec<Line>, random: &mut Random) -> Named {
    let (at, event) = edited(lines, random)?;
    let others =
        last_reads(lines).into_iter().filter(|(_, other)| other.client_id == event.client_id).count();
    let (_, sent) = all(lines, Operation::Send, Step::Invoke)
        .into_iter()
        .find(|(_, send)| send.client_id == event.client_id)?;
    let old = event_mut(lines, at);
    (old.revision, old.body) = (Some(0), sent.body);
    (others > 1).then_some((Invariant::I11, Uuid::nil()))
}

pub(super) fn forget_an_edit(lines: &mut Vec<Line>, random: &mut Random) -> Named {
    let (_, changed) = edited(lines, random)?;
    let told = all(lines, Operation::Edit, Step::Ok).into_iter().any(|(_, edit)| {
        (&edit.conversation, edit.seq) == (&changed.conversation, changed.seq) && edit.body.is_some()
    });
    let (_, sent) = all(lines, Operation::Send, Step::Invoke)
        .into_iter()
        .find(|(_, send)| send.client_id == changed.client_id)?;
    for line in lines.iter_mut() {
        if let Line::Event(event) = line
            && (&event.conversation, event.seq) == (&changed.conversation, changed.seq)
            && matches!(event.operation, Operation::Deliver | Operation::Sync | Operation::Update)
        {
            (event.revision, event.body, event.state) = (Some(0), sent.body, Some(0));
        }
    }
    told.then_some((Invariant::I11, Uuid::nil()))
}

pub(super) fn forget_an_update(lines: &mut Vec<Line>, random: &mut Random) -> Named {
    let mut updates = all(lines, Operation::Update, Step::Ok);
    let last = last_reads(lines);
    updates.retain(|(_, update)| {
        stays(lines, update)
            && last.iter().any(|(_, read)| {
                (&read.conversation, read.seq, read.revision)
                    == (&update.conversation, update.seq, update.revision)
            })
    });
    let (at, _) = pick(&updates, random)?;
    lines.remove(at);
    Some((Invariant::I11, Uuid::nil()))
}
