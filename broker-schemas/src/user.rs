//! Accounts, sign-in, sessions and presence.

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

use crate::caller::{Anyone, Part, Role, SignedIn};
use crate::{
    Done, EdgeId, Fetched, List, SessionId, Text, Timestamp, UserId, admin, events, facts, friend, group,
    message, service,
};

/// Room for a name on the wire, in bytes. The user module's rule is narrower and says so.
pub const NAME_BYTES: usize = 128;
/// Room for a display name, in bytes.
pub const DISPLAY_NAME_BYTES: usize = 256;
/// Room for a password, in bytes: 128 characters of UTF-8.
pub const PASSWORD_BYTES: usize = 512;
/// How many users one [`Lookup`] may name.
pub const LOOKUP_MAX: usize = 1_024;
/// The most users with a role.
pub const STAFF_MAX: usize = 1_000;
/// The name of the platform's own account, which nobody can register.
pub const PLATFORM_NAME: &str = "natter";
/// The most users whom a moderator may not act on: those with a role, and the platform's own account.
pub const SPARED_MAX: usize = STAFF_MAX + 1;
/// How many closed sessions one [`ReportSessions`] may name.
pub const REPORT_MAX: usize = 1_024;

service! {
    /// Accounts, sign-in, sessions and presence.
    User = "user" version 1,
    calls: [
        friend::ListFriends, friend::ForgetUser, group::ListGroups, group::ForgetUser, message::GetUnread,
        message::ForgetUser, admin::TakeReport,
    ],
    hears: [],
    delivers: [Users];

    /// Makes an account. The name is unique whatever the case of its letters.
    "register": Register => Registered { by: Anyone, on: [Client], repeat: Once, deadline_ms: 5_000 }

    /// Signs in with name and password, and fetches what a client shows first.
    "login": Login => Session { by: Anyone, on: [Client], repeat: Once, deadline_ms: 5_000 }

    /// Signs in again with the token of an earlier sign-in, which it replaces.
    "resume": Resume => Session { by: Anyone, on: [Client], repeat: Once, deadline_ms: 5_000 }

    /// Ends this session; its token is void.
    "logout": Logout => Done { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// Sets a new password and ends every other session of the user.
    "change_password": ChangePassword => Done { by: SignedIn, on: [Client], repeat: Once, deadline_ms: 5_000 }

    /// Deletes the account for good: its sessions end, its friends learn of it, its name is free again.
    "delete_account": DeleteAccount => Done { by: SignedIn, on: [Client], repeat: Once, deadline_ms: 5_000 }

    /// Sets the name that others see.
    "set_display_name": SetDisplayName => Done { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// What everyone may know of a user; of oneself when no user is named.
    "profile": GetProfile => Profile { by: SignedIn, on: [Client], repeat: Read, deadline_ms: 5_000 }

    /// Finds a user by the whole name, whatever the case of its letters.
    "find": Find => Profile { by: SignedIn, on: [Client], repeat: Read, deadline_ms: 5_000 }

    /// Reports a user to the moderators.
    "report": Report => Done { by: SignedIn, on: [Client], repeat: Idempotent, deadline_ms: 5_000 }

    /// Profiles of many users at once; those that don't exist are left out.
    "lookup": Lookup => Profiles { by: Part, on: [Internal], repeat: Read, deadline_ms: 2_000 }

    /// Who has a name, whatever the case of its letters.
    "resolve": Resolve => Registered { by: Part, on: [Internal], repeat: Read, deadline_ms: 2_000 }

    /// A new passport for a session that is still open. The passport may have expired; the session counts.
    "renew": Renew => Done { by: Part, on: [Internal], repeat: Idempotent, deadline_ms: 5_000 }

    /// An edge says that it lives and which sessions closed on it. An edge that stays silent loses its sessions.
    "report_sessions": ReportSessions => Reported { by: Part, on: [Internal], repeat: Idempotent, deadline_ms: 2_000 }

    /// Gives a user a role, which counts from the next sign-in; or takes it, which ends the user's sessions.
    "set_role": SetRole => Done { by: Part, on: [Internal], repeat: Idempotent, deadline_ms: 2_000 }

    /// Everyone with a role.
    "staff": ListStaff => Staff { by: Part, on: [Internal], repeat: Read, deadline_ms: 2_000 }

    /// Keeps a user out until a moment, or lets the user in again. Sessions end before it is answered.
    "set_ban": SetBan => Done { by: Part, on: [Internal], repeat: Idempotent, deadline_ms: 2_000 }

    /// Ends every session of a user.
    "end_sessions": EndSessions => Done { by: Part, on: [Internal], repeat: Idempotent, deadline_ms: 2_000 }

    /// A page of the users who meet a condition, by id; banned ones and the platform's own account are left out.
    "find_users": FindUsers => FoundUsers { by: Part, on: [Internal], repeat: Read, deadline_ms: 5_000 }

    /// The account with which the platform itself writes to users; made when it is missing. Nobody can sign in with it.
    "system_account": SystemAccount => Registered { by: Part, on: [Internal], repeat: Idempotent, deadline_ms: 2_000 }

    /// How many accounts there are, how many are online, and how many sessions each edge has.
    "census": GetCensus => Census { by: Part, on: [Internal], repeat: Read, deadline_ms: 2_000 }

    /// Keeps a user from choosing another display name until a moment, or lets the user again.
    "set_silence": SetSilence => Done { by: Part, on: [Internal], repeat: Idempotent, deadline_ms: 2_000 }

    /// What names must not contain.
    "set_rules": SetRules => Done { by: Part, on: [Internal], repeat: Idempotent, deadline_ms: 2_000 }
}

/// See [`User`]'s `register`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// 2 to 32 of `A-Z a-z 0-9 _ . -`, beginning with a letter or digit.
    pub name: Text<NAME_BYTES>,
    /// 8 to 128 characters, not a common one.
    pub password: Text<PASSWORD_BYTES>,
    /// What others see, by the rules of [`SetDisplayName`]; the name when absent.
    pub display_name: Option<Text<DISPLAY_NAME_BYTES>>,
}

/// A new account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Registered {
    /// Its id, for good.
    pub user: UserId,
}

/// See [`User`]'s `login`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The account's name, whatever the case of its letters.
    pub name: Text<NAME_BYTES>,
    /// Its password.
    pub password: Text<PASSWORD_BYTES>,
    /// What the user calls this device.
    pub device: Option<Text<128>>,
}

/// See [`User`]'s `resume`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    /// The token of the last sign-in.
    pub token: Text<128>,
}

/// An open session, and what a client shows first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Session {
    /// Who is signed in.
    pub user: UserId,
    /// The account's name, as it was registered.
    pub name: String,
    /// What others see.
    pub display_name: String,
    /// This sign-in.
    pub session: SessionId,
    /// Opens the session again on another connection (`user.resume`), once. Keep it secret.
    pub token: String,
    /// When the token is void.
    pub expires_at: Timestamp,
    /// The user's friends.
    pub friends: Fetched<Vec<friend::FriendEntry>>,
    /// The user's groups, without how much is unread in each: that is in `unread`.
    pub groups: Fetched<Vec<group::GroupEntry>>,
    /// Where the user stands in each conversation, the one with the newest message first; at most 1,024.
    pub unread: Fetched<Vec<message::Standing>>,
}

/// See [`User`]'s `logout`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Logout {}

/// See [`User`]'s `change_password`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ChangePassword {
    /// The present password.
    pub old: Text<PASSWORD_BYTES>,
    /// The new one, by the rules of [`Register`].
    pub new: Text<PASSWORD_BYTES>,
}

/// See [`User`]'s `delete_account`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct DeleteAccount {
    /// The password, again.
    pub password: Text<PASSWORD_BYTES>,
}

/// See [`User`]'s `set_display_name`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct SetDisplayName {
    /// 1 to 64 characters, none of them a control character. Not the platform's own, in whatever case and spacing.
    pub display_name: Text<DISPLAY_NAME_BYTES>,
}

/// See [`User`]'s `profile`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct GetProfile {
    /// Whose; one's own when absent.
    pub user: Option<UserId>,
}

/// See [`User`]'s `find`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Find {
    /// The whole name.
    pub name: Text<NAME_BYTES>,
}

/// What everyone may know of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Profile {
    /// The user.
    pub user: UserId,
    /// The account's name, as it was registered.
    pub name: String,
    /// What others see.
    pub display_name: String,
    /// Whether a session of the user is open now.
    pub online: bool,
}

/// See [`User`]'s `lookup`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    /// Which users.
    pub users: List<UserId, LOOKUP_MAX>,
}

/// See [`User`]'s `resolve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Resolve {
    /// The whole name.
    pub name: Text<NAME_BYTES>,
}

/// Profiles, in no particular order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Profiles {
    /// Those of the users that exist.
    pub profiles: Vec<Profile>,
}

/// See [`User`]'s `renew`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Renew {
    /// The passport that the edge holds.
    pub passport: List<u8, 512>,
}

/// See [`User`]'s `report_sessions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ReportSessions {
    /// Which edge.
    pub edge: EdgeId,
    /// The sessions whose connection closed since the last report that was answered.
    pub closed: List<SessionId, REPORT_MAX>,
    /// How many sessions are open on the edge now.
    pub open: u32,
}

/// What the user module made of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Reported {
    /// The user module had given the edge up and counted its sessions as closed: the edge renews each of them, which
    /// counts it as open again.
    pub renew_all: bool,
}

/// See [`User`]'s `report`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Report {
    /// Whom.
    pub user: UserId,
    /// Why, 1 byte to 1 KiB.
    pub reason: Text<1024>,
}

/// See [`User`]'s `set_role`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct SetRole {
    /// Whose.
    pub user: UserId,
    /// Which.
    pub role: Role,
    /// Whether the user has it from now on.
    pub has: bool,
}

/// See [`User`]'s `staff`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct ListStaff {}

/// Everyone with a role.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Staff {
    /// By user id; at most 1,000.
    pub members: Vec<StaffMember>,
    /// The platform's own account, once there is one.
    pub system: Option<UserId>,
}

/// A user with roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct StaffMember {
    /// The user.
    pub user: UserId,
    /// The account's name.
    pub name: String,
    /// One or more.
    pub roles: Vec<Role>,
}

/// See [`User`]'s `set_ban`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct SetBan {
    /// Whom.
    pub user: UserId,
    /// The ban; none lets the user in again.
    pub ban: Option<Ban>,
}

/// A ban.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct Ban {
    /// Why, in words that the user reads.
    pub reason: Text<1024>,
    /// Until when; for good when absent.
    pub until: Option<Timestamp>,
}

/// See [`User`]'s `end_sessions`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct EndSessions {
    /// Whose.
    pub user: UserId,
}

/// See [`User`]'s `find_users`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct FindUsers {
    /// Only these.
    pub among: Option<List<UserId, LOOKUP_MAX>>,
    /// Only who signed up in this time.
    pub signed_up: admin::Span,
    /// Only who was last signed in in this time; who is online now is seen now.
    pub last_seen: admin::Span,
    /// Only those with greater ids.
    pub after: Option<UserId>,
    /// At most so many, up to 1,024. 0 for only how many there are.
    pub limit: u32,
}

/// Users by id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct FoundUsers {
    /// The page.
    pub users: Vec<UserId>,
    /// How many meet the condition from `after` on; only when `limit` is 0.
    pub count: Option<u64>,
}

/// See [`User`]'s `system_account`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct SystemAccount {}

/// See [`User`]'s `census`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct GetCensus {}

/// Accounts and sessions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Census {
    /// Accounts.
    pub accounts: u64,
    /// Accounts with an open session.
    pub online: u64,
    /// Open sessions, by edge.
    pub edges: Vec<admin::EdgeSessions>,
}

/// See [`User`]'s `set_silence`.
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

/// See [`User`]'s `set_rules`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct SetRules {
    /// All of them.
    pub book: admin::RuleBook,
}

/// Pushed to friends and conversation partners of a user who deleted the account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Deleted {
    /// Who is gone.
    pub user: UserId,
}

events! {
    "user.deleted": Deleted,
}

/// The first session of a user opened, or the last one closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct PresenceChanged {
    /// Whose.
    pub user: UserId,
    /// Whether a session is open now.
    pub online: bool,
}

facts! { User {
    "presence": PresenceChanged, about user,
}}
