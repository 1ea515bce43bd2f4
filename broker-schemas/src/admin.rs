//! What operators, moderators and auditors do: broadcasts, announcements, campaigns, moderation, insight, audit.
//!
//! Its methods have subjects of their own (`natter.admin.…`). Every act on them, refused ones included, is in the audit log.

mod announcements;
mod audit;
mod campaigns;
mod insight;
mod moderation;
mod reports;
mod roles;
mod rules;

use crate::caller::{Auditor, Moderator, Operator, Part, Staff};
use crate::{Done, events, facts, friend, group, message, service, user};

pub use announcements::*;
pub use audit::*;
pub use campaigns::*;
pub use insight::*;
pub use moderation::*;
pub use reports::*;
pub use roles::*;
pub use rules::*;

/// The longest text of a broadcast, an announcement or a reason, in bytes of UTF-8.
pub const TEXT_BYTES: usize = 4 * 1024;
/// The most entries in one answer.
pub const PAGE_MAX: u32 = 200;
/// How many entries an answer has when the request doesn't say.
pub const PAGE_DEFAULT: u32 = 50;

service! {
    /// What operators, moderators and auditors do.
    Admin = "admin" version 1,
    calls: [
        user::Lookup, user::Resolve, user::FindUsers, user::SetRole, user::ListStaff, user::SetBan, user::EndSessions, user::SystemAccount,
        user::GetCensus, user::SetSilence, user::SetRules,
        friend::SetSilence,
        group::MemberIds, group::DissolveByStaff, group::SetSilence, group::SetRules,
        message::Post, message::GetReach, message::GetAuthor, message::Remove, message::SetSilence, message::SetRules,
    ],
    hears: [],
    delivers: [Everyone];

    /// Gives a user a role. It counts from the user's next sign-in.
    "grant": Grant => Done { by: Operator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// Takes a role from a user, whose sessions end.
    "revoke": Revoke => Done { by: Operator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// Gives a user a role, by the name, for whoever holds the credential of the bus's operator: so there is a first one.
    "appoint": Appoint => Done { by: Part, on: [Internal], repeat: Idempotent, deadline_ms: 5_000 }

    /// Who has a role.
    "staff": ListStaff => StaffMembers { by: Staff, on: [Admin], repeat: Read, deadline_ms: 5_000 }

    /// Shows a text to everyone who is online now, once.
    "broadcast": Broadcast => Done { by: Operator, on: [Admin], repeat: Once, deadline_ms: 5_000 }

    /// Shows a text to everyone until its end: at once to who is online, else at the next sign-in.
    "announce": Announce => Announced { by: Operator, on: [Admin], repeat: Once, deadline_ms: 5_000 }

    /// Changes an announcement's text or end. Who has seen it sees it once more if the text changed.
    "change_announcement": ChangeAnnouncement => Done { by: Operator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// Takes an announcement back.
    "withdraw": Withdraw => Done { by: Operator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// A page of the announcements, the newest first, with how many have seen each.
    "announcements": ListAnnouncements => Announcements { by: Staff, on: [Admin], repeat: Read, deadline_ms: 5_000 }

    /// Writes a campaign down. Nothing is sent before it is started.
    "campaign_create": CreateCampaign => CampaignCreated { by: Operator, on: [Admin], repeat: Once, deadline_ms: 5_000 }

    /// Counts whom a campaign would reach now, and for how long it would send.
    "campaign_dry_run": DryRun => Forecast { by: Operator, on: [Admin], repeat: Read, deadline_ms: 30_000 }

    /// Starts a campaign: its sending begins at `starts_at`, or at once.
    "campaign_start": StartCampaign => Done { by: Operator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// Halts a campaign that was started; what is under way still arrives.
    "campaign_pause": PauseCampaign => Done { by: Operator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// Goes on with a campaign that was paused.
    "campaign_resume": ResumeCampaign => Done { by: Operator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// Ends a campaign for good. What was sent stays.
    "campaign_cancel": CancelCampaign => Done { by: Operator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// One campaign, and how far it is.
    "campaign": GetCampaign => Campaign { by: Staff, on: [Admin], repeat: Read, deadline_ms: 5_000 }

    /// A page of the campaigns, the newest first.
    "campaigns": ListCampaigns => Campaigns { by: Staff, on: [Admin], repeat: Read, deadline_ms: 5_000 }

    /// Keeps a user out: the sessions end within 5 s, and sign-in says why.
    "ban": Ban => Done { by: Moderator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// Lets a banned user in again.
    "unban": Unban => Done { by: Moderator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// Keeps a user from saying anything to others until a moment, by messages, names, announcements, invitations or requests; or
    /// lets the user speak again.
    "mute": Mute => Done { by: Moderator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// Ends every session of a user, who may sign in again.
    "sign_out": SignOut => Done { by: Moderator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// Erases what a message says, for everyone in its conversation.
    "remove_message": RemoveMessage => Done { by: Moderator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// Ends a group for good, as its owner could.
    "dissolve_group": DissolveGroup => Done { by: Moderator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// A page of what users reported, the oldest open one first.
    "reports": ListReports => Reports { by: Moderator, on: [Admin], repeat: Read, deadline_ms: 5_000 }

    /// Closes a report, with a note on what was done.
    "settle_report": SettleReport => Done { by: Moderator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// What names and texts must not contain.
    "rules": ListRules => Rules { by: Staff, on: [Admin], repeat: Read, deadline_ms: 5_000 }

    /// Adds a rule, or replaces one. In force everywhere within seconds.
    "set_rule": SetRule => RuleSet { by: Operator, on: [Admin], repeat: Once, deadline_ms: 5_000 }

    /// Removes a rule.
    "remove_rule": RemoveRule => Done { by: Operator, on: [Admin], repeat: Idempotent, deadline_ms: 5_000 }

    /// The platform at a glance: who is online, what each copy of each part does, how large the databases are.
    "stats": GetStats => Stats { by: Staff, on: [Admin], repeat: Read, deadline_ms: 5_000 }

    /// A page of the audit log, the newest entry first.
    "audit": ListAudit => Audit { by: Auditor, on: [Admin], repeat: Read, deadline_ms: 5_000 }

    /// What a user reports, from the module that knows that the user may see it; or what a rule does.
    "take_report": TakeReport => Done { by: Part, on: [Internal], repeat: Idempotent, deadline_ms: 3_000 }
}

events! {
    "admin.broadcast": BroadcastEvent,
    "admin.announced": AnnouncedEvent,
}

facts! { Admin {} }
