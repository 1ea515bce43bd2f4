//! Groups: who is in them, who may do what, how one gets in.

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

use crate::caller::{Part, SignedIn};
use crate::rights::Role;
use crate::{
    Done, GroupId, List, Seq, Text, Timestamp, UserId, admin, events, facts, friend, message, service, user,
};

/// The most members that a group can be configured to have.
pub const MEMBERS_MAX: usize = 10_000;
/// How many people [`Create`] may name.
pub const INVITED_MAX: usize = 1_000;
/// Room for a group's name, in bytes. The group module's rule is narrower and says so.
pub const NAME_BYTES: usize = 256;
/// The longest announcement, in bytes of UTF-8.
pub const ANNOUNCEMENT_BYTES: usize = 4 * 1024;
/// The most members in one answer of [`ListMembers`].
pub const PAGE_MAX: u32 = 200;
/// How many members an answer has when the request doesn't say.
pub const PAGE_DEFAULT: u32 = 100;

service! {
    /// Groups: who is in them, who may do what, how one gets in.
    Group = "group" version 1,
    calls: [friend::GetGate, user::Lookup, message::ChangeGroup, message::GetUnread],
    hears: [],
    delivers: [Users, Groups];

    /// Makes a group, which one owns, with friends in it.
    "create": Create => Created { by: SignedIn, on: [Client], repeat: Once, deadline_ms: 5_000 }

    /// Joins a group that is open, or asks to join one that takes members by approval.
    "join": Join => Joined { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// Leaves a group, or takes back that one asked to join. An owner transfers the group first, or dissolves it.
    "leave": Leave => Done { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// Puts a friend into a group.
    "invite": Invite => Done { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// Takes somebody who asked to join into the group.
    "approve": Approve => Done { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// Refuses somebody who asked to join. They may ask again.
    "decline": Decline => Done { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// Puts somebody out of a group, and keeps them out if asked to. Once answered, they receive and read nothing more of it.
    "kick": Kick => Done { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// Takes back that somebody is kept out; it makes nobody a member.
    "unblock": Unblock => Done { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// Ends a group for good: nobody writes in it any more. What was said stays readable for its last members.
    "dissolve": Dissolve => Done { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// Makes another member the owner, and oneself an administrator.
    "transfer": Transfer => Done { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// Makes a member an administrator, or an administrator a plain member.
    "set_role": SetRole => Done { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// Keeps a member, or every plain member, from writing until a moment; or lets them write again.
    "mute": Mute => Done { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// Sets the text that a group shows to whoever opens it; an empty one takes it away.
    "announce": Announce => Done { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// Gives a group another name.
    "rename": Rename => Done { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// Sets how one gets into a group, and what new members see.
    "configure": Configure => Done { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// What a group is. Somebody who isn't in it sees it only where one can join or ask to.
    "profile": GetProfile => Profile { by: SignedIn, on: [Client], repeat: Read, deadline_ms: 5_000 }

    /// A page of the members, by user id.
    "members": ListMembers => Members { by: SignedIn, on: [Client], repeat: Read, deadline_ms: 5_000 }

    /// Who asks to join, and who is kept out.
    "requests": ListRequests => Requests { by: SignedIn, on: [Client], repeat: Read, deadline_ms: 5_000 }

    /// One's groups, by name.
    "list": ListGroups => Groups { by: SignedIn, on: [Client, Internal], repeat: Read, deadline_ms: 5_000 }

    /// Takes a deleted user out of every group. A group that the user owned passes to the administrator who has been one of
    /// its members for longest, else to the member who has; without any it is dissolved.
    "forget_user": ForgetUser => Done { by: Part, on: [Internal], repeat: Idempotent, deadline_ms: 5_000 }

    /// A page of a group's members, by id.
    "member_ids": MemberIds => FoundMembers { by: Part, on: [Internal], repeat: Read, deadline_ms: 2_000 }

    /// Ends a group for good, whoever owns it but for whom the request spares.
    "dissolve_by_staff": DissolveByStaff => Done { by: Part, on: [Internal], repeat: Idempotent, deadline_ms: 5_000 }

    /// Keeps a user from making, naming and announcing to groups, and from inviting, until a moment; or lets the user again.
    "set_silence": SetSilence => Done { by: Part, on: [Internal], repeat: Idempotent, deadline_ms: 2_000 }

    /// What names and announcements of groups must not contain.
    "set_rules": SetRules => Done { by: Part, on: [Internal], repeat: Idempotent, deadline_ms: 2_000 }
}

/// How one gets into a group, other than by [`Invite`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// Whoever knows the group's id joins. Every member may invite.
    Open,
    /// Whoever knows the group's id asks, and the owner or an administrator approves. Only these invite.
    Approval,
    /// Only by invitation of the owner or an administrator.
    #[default]
    Invitation,
}

/// What somebody who joins sees of what was said before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
pub enum Visible {
    /// Only what follows the joining.
    #[default]
    FromJoining,
    /// Everything.
    Everything,
}

/// See [`Group`]'s `create`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Create {
    /// 1 to 64 characters, none of them a control character. It need not be unique, but not the platform's own, in whatever case
    /// and spacing.
    pub name: Text<NAME_BYTES>,
    /// Friends, who are members at once; nobody when absent.
    pub members: Option<List<UserId, INVITED_MAX>>,
    /// By invitation only when absent.
    pub admission: Option<Admission>,
    /// What follows the joining when absent.
    pub visible: Option<Visible>,
}

/// A new group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Created {
    /// Its id, for good. Its conversation is `"g<id>"`.
    pub group: GroupId,
}

/// See [`Group`]'s `join`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// Which group.
    pub group: GroupId,
}

/// What became of joining.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Joined {
    /// Whether one is a member now; else one has asked, and waits for approval.
    pub member: bool,
}

/// See [`Group`]'s `leave`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Leave {
    /// Which group.
    pub group: GroupId,
}

/// See [`Group`]'s `invite`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Invite {
    /// Which group.
    pub group: GroupId,
    /// A friend.
    pub user: UserId,
}

/// See [`Group`]'s `approve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Approve {
    /// Which group.
    pub group: GroupId,
    /// Who asked to join.
    pub user: UserId,
}

/// See [`Group`]'s `decline`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Decline {
    /// Which group.
    pub group: GroupId,
    /// Who asked to join.
    pub user: UserId,
}

/// See [`Group`]'s `kick`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Kick {
    /// Which group.
    pub group: GroupId,
    /// Whom. With `block`, this need not be a member.
    pub user: UserId,
    /// Whether they are kept out from now on; no when absent.
    pub block: Option<bool>,
}

/// See [`Group`]'s `unblock`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Unblock {
    /// Which group.
    pub group: GroupId,
    /// Whom.
    pub user: UserId,
}

/// See [`Group`]'s `dissolve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Dissolve {
    /// Which group.
    pub group: GroupId,
}

/// See [`Group`]'s `transfer`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    /// Which group.
    pub group: GroupId,
    /// A member.
    pub user: UserId,
}

/// See [`Group`]'s `set_role`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct SetRole {
    /// Which group.
    pub group: GroupId,
    /// A member, not the owner.
    pub user: UserId,
    /// `administrator` or `member`. To make somebody the owner is [`Transfer`].
    pub role: Role,
}

/// See [`Group`]'s `mute`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Mute {
    /// Which group.
    pub group: GroupId,
    /// A plain member; every one of them when absent.
    pub user: Option<UserId>,
    /// Until when. A moment that has passed, or none, ends the mute.
    pub until: Option<Timestamp>,
}

/// See [`Group`]'s `announce`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Announce {
    /// Which group.
    pub group: GroupId,
    /// What to show; at most 4 KiB.
    pub text: Text<ANNOUNCEMENT_BYTES>,
}

/// See [`Group`]'s `rename`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    /// Which group.
    pub group: GroupId,
    /// 1 to 64 characters, none of them a control character. Not the platform's own, in whatever case and spacing.
    pub name: Text<NAME_BYTES>,
}

/// See [`Group`]'s `configure`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Configure {
    /// Which group.
    pub group: GroupId,
    /// As it was when absent.
    pub admission: Option<Admission>,
    /// What members who join from now on see; as it was when absent.
    pub visible: Option<Visible>,
}

/// See [`Group`]'s `profile`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct GetProfile {
    /// Which group.
    pub group: GroupId,
}

/// What a group is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Profile {
    /// The group.
    pub group: GroupId,
    /// Its name.
    pub name: String,
    /// How many members it has.
    pub members: u32,
    /// How one gets in.
    pub admission: Admission,
    /// What new members see.
    pub visible: Visible,
    /// What the caller is in it; absent when not a member.
    pub role: Option<Role>,
    /// The announcement, for members.
    pub announcement: Option<Announcement>,
    /// Until when plain members can't write; absent when they can.
    pub muted_until: Option<Timestamp>,
    /// Whether it was dissolved: only its last members see it then.
    pub dissolved: bool,
}

/// What a group shows to whoever opens it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Announcement {
    /// What it says.
    pub text: String,
    /// Who set it.
    pub by: UserId,
    /// When.
    pub at: Timestamp,
}

/// See [`Group`]'s `members`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ListMembers {
    /// Which group.
    pub group: GroupId,
    /// Only members after this one; from the first when absent.
    pub after: Option<UserId>,
    /// At most this many, 1 to 200; 100 when absent.
    pub limit: Option<u32>,
}

/// A page of a group's members.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Members {
    /// By user id.
    pub members: Vec<MemberEntry>,
    /// There are more: ask again, after the last of these.
    pub more: bool,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct MemberEntry {
    /// The member.
    pub user: UserId,
    /// The account's name; the id when it could not be had.
    pub name: String,
    /// What others see.
    pub display_name: String,
    /// Whether a session of the member is open now.
    pub online: bool,
    /// What the member is.
    pub role: Role,
    /// Until when the member can't write, muted alone or with all plain members; absent when the member can.
    pub muted_until: Option<Timestamp>,
    /// Since when.
    pub since: Timestamp,
}

/// See [`Group`]'s `requests`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ListRequests {
    /// Which group.
    pub group: GroupId,
}

/// Who asks to join, and who is kept out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Requests {
    /// Who asks to join, oldest first.
    pub asking: Vec<friend::RequestEntry>,
    /// Who is kept out, oldest first.
    pub blocked: Vec<friend::RequestEntry>,
}

/// See [`Group`]'s `list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ListGroups {
    /// Whether to count what is unread, which costs another call; yes when absent.
    pub unread: Option<bool>,
}

/// One's groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Groups {
    /// By name. Groups that were dissolved are not among them.
    pub groups: Vec<GroupEntry>,
}

/// A group, as one of its members sees it in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct GroupEntry {
    /// The group.
    pub group: GroupId,
    /// Its name.
    pub name: String,
    /// What the caller is in it.
    pub role: Role,
    /// How many members it has.
    pub members: u32,
    /// How many messages the caller hasn't read; absent when that wasn't asked, or could not be had.
    pub unread: Option<u64>,
}

/// See [`Group`]'s `member_ids`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct MemberIds {
    /// Which group.
    pub group: GroupId,
    /// Only those with greater ids.
    pub after: Option<UserId>,
    /// At most so many, up to 1,024. 0 for only how many there are.
    pub limit: u32,
}

/// Members by id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct FoundMembers {
    /// The page.
    pub users: Vec<UserId>,
    /// How many there are from `after` on; only when `limit` is 0.
    pub count: Option<u64>,
}

/// See [`Group`]'s `dissolve_by_staff`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct DissolveByStaff {
    /// Which group.
    pub group: GroupId,
    /// Who does it: the notice in the conversation says so.
    pub by: UserId,
    /// It is refused when one of these owns the group.
    pub spared: List<UserId, { user::SPARED_MAX }>,
}

/// See [`Group`]'s `set_silence`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct SetSilence {
    /// Whom.
    pub user: UserId,
    /// Until when; none lets the user again.
    pub until: Option<Timestamp>,
    /// Grows with each mute, of whomever: one that comes late doesn't undo a newer one of the same user.
    pub version: u64,
}

/// See [`Group`]'s `set_rules`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct SetRules {
    /// All of them.
    pub book: admin::RuleBook,
}

/// See [`Group`]'s `forget_user`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ForgetUser {
    /// Who is gone.
    pub user: UserId,
}

/// What happened to a group. It stands in its conversation, where `from` says who did it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It was made.
    Created {
        /// Its name.
        name: Text<NAME_BYTES>,
        /// Its first members beside the owner.
        members: List<UserId, INVITED_MAX>,
    },
    /// Somebody became a member: by themselves, or taken in by `from`.
    Joined {
        /// Who.
        user: UserId,
    },
    /// Somebody left.
    Left {
        /// Who.
        user: UserId,
    },
    /// Somebody was put out.
    Kicked {
        /// Who.
        user: UserId,
    },
    /// It ended.
    Dissolved {},
    /// It has another owner, who isn't muted any more; the one before is an administrator now.
    Transferred {
        /// The new owner.
        user: UserId,
    },
    /// A member has another role. Becoming an administrator ends the member's own mute for good.
    RoleSet {
        /// Who.
        user: UserId,
        /// What they are now.
        role: Role,
    },
    /// Somebody can't write, or can again.
    Muted {
        /// Who; every plain member when absent.
        user: Option<UserId>,
        /// Until when; absent when they can write again.
        until: Option<Timestamp>,
    },
    /// There is an announcement; an empty one took it away.
    Announced {
        /// What it says.
        text: Text<ANNOUNCEMENT_BYTES>,
    },
    /// It has another name.
    Renamed {
        /// Which.
        name: Text<NAME_BYTES>,
    },
    /// One gets in differently, or new members see something else.
    Configured {
        /// How one gets in.
        admission: Admission,
        /// What new members see.
        visible: Visible,
    },
}

/// One became a member of a group; one's own sessions are told, once they receive what is said in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct JoinedEvent {
    /// Which group.
    pub group: GroupId,
    /// Its name.
    pub name: String,
    /// Who made one a member; oneself when one joined.
    pub by: UserId,
    /// Where the notice of it stands: what is new begins there. Absent in the rare case that it can't be said any more.
    pub seq: Option<Seq>,
}

/// One left a group; one's own sessions are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct LeftEvent {
    /// Which group.
    pub group: GroupId,
}

/// One was put out of a group; one's own sessions are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct KickedEvent {
    /// Which group.
    pub group: GroupId,
    /// Who did it.
    pub by: UserId,
}

/// A group was dissolved; its members are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct DissolvedEvent {
    /// Which group.
    pub group: GroupId,
    /// Who did it.
    pub by: UserId,
}

/// A group has an announcement; its members are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct AnnouncedEvent {
    /// Which group.
    pub group: GroupId,
    /// Who set it.
    pub by: UserId,
    /// What it says; empty when it was taken away.
    pub text: String,
}

/// Somebody asks to join; the owner and the administrators are told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct AskedEvent {
    /// Which group.
    pub group: GroupId,
    /// Who asks.
    pub user: UserId,
    /// The account's name.
    pub name: String,
    /// What others see.
    pub display_name: String,
}

events! {
    "group.joined": JoinedEvent,
    "group.left": LeftEvent,
    "group.kicked": KickedEvent,
    "group.dissolved": DissolvedEvent,
    "group.announced": AnnouncedEvent,
    "group.asked": AskedEvent,
}

facts! { Group {} }
