//! What users are told as it happens. Best effort: the conversation's notices and `group.list` have the record.

use broker_schemas::delivery::Push;
use broker_schemas::group::{
    AnnouncedEvent, AskedEvent, Change, DissolvedEvent, JoinedEvent, KickedEvent, LeftEvent,
};
use broker_schemas::message::ChangeGroup;
use broker_schemas::subject::Audience;
use broker_schemas::{Delivery, Event, GroupId, Seq, UserId};
use natter_host::{Result, Scope};

use crate::store::Untold;
use crate::{Checked, Module};

impl Module {
    /// Tells those whom a change concerns in a particular way. Every member sees it in the conversation, at `seq`.
    ///
    /// # Errors
    /// When the bus is away.
    pub(crate) async fn push_change(&self, untold: &Untold, seq: Option<Seq>) -> Checked<()> {
        let ChangeGroup { group, version, by, ref change, .. } = untold.change;
        match change {
            Change::Created { members, .. } => {
                let users = [by].into_iter().chain(members.iter().copied());
                self.push_joined(untold, seq, users).await
            }
            Change::Joined { user } => self.push_joined(untold, seq, [*user]).await,
            Change::Left { user } => self.bus.push(Audience::User(*user), &LeftEvent { group }).await,
            Change::Kicked { user } => self.bus.push(Audience::User(*user), &KickedEvent { group, by }).await,
            Change::Dissolved {} => {
                self.bus.push_to_members(group, version, version, &DissolvedEvent { group, by }).await
            }
            Change::Announced { text } => {
                let event = AnnouncedEvent { group, by, text: text.to_string() };
                self.bus.push_to_members(group, version, version, &event).await
            }
            Change::Transferred { .. }
            | Change::RoleSet { .. }
            | Change::Muted { .. }
            | Change::Renamed { .. }
            | Change::Configured { .. } => Ok(()),
        }
    }

    /// Has the edges of new members receive what is delivered to the group, and tells these members.
    async fn push_joined<U>(&self, untold: &Untold, seq: Option<Seq>, users: U) -> Checked<()>
    where
        U: IntoIterator<Item = UserId, IntoIter: Send>,
    {
        let ChangeGroup { group, by, .. } = untold.change;
        let push = Push::of(&JoinedEvent { group, name: untold.name.clone(), by, seq })?;
        let delivery = Delivery::Join { group, push };
        for user in users {
            self.bus.deliver(Audience::User(user), &delivery).await?;
        }
        Ok(())
    }

    /// Tells the owner and the administrators that somebody asks to join.
    pub(crate) async fn push_asked(&self, scope: &Scope, group: GroupId, user: UserId) -> Result<()> {
        let administrators = self.store.administrators(group).await?;
        let profile = self.people_if_possible(scope, &[user]).await.get_or_nameless(user);
        let event = AskedEvent { group, user, name: profile.name, display_name: profile.display_name };
        let audiences = administrators.into_iter().map(Audience::User);
        if let Err(error) = self.bus.push_each(audiences, &event).await {
            tracing::debug!(%error, event = AskedEvent::NAME, "not pushed");
        }
        Ok(())
    }
}
