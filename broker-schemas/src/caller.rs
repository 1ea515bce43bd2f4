//! Who calls: identities as a passport proves them, and callers as types that only a check can make.

use postcard_schema::Schema;
use serde::{Deserialize, Serialize};

use crate::{Error, List, SessionId, Timestamp, UserId};

/// What a signed-in user may be, beyond being a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Schema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Runs the platform.
    Operator,
    /// Settles what users report.
    Moderator,
    /// Reads everything that operators and moderators did.
    Auditor,
}

impl Role {
    /// Every role, in the order of the documentation's columns.
    pub const ALL: [Self; 3] = [Self::Operator, Self::Moderator, Self::Auditor];

    /// Its name on the wire and for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Moderator => "moderator",
            Self::Auditor => "auditor",
        }
    }
}

/// Who a verified passport says is calling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Identity {
    /// The user.
    pub user: UserId,
    /// The sign-in that the call comes from.
    pub session: SessionId,
    /// The user's roles; empty for nearly everyone.
    pub roles: List<Role, 8>,
}

/// What the user module signs. On the wire: this in postcard, then 64 bytes of Ed25519 signature over it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Schema)]
pub struct Passport {
    /// Names the signing key.
    pub key: u32,
    /// Who it proves.
    pub identity: Identity,
    /// When it stops to prove anything.
    pub expires_at: Timestamp,
}

/// What a method asks of its caller, for people and tools to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// No sign-in.
    Anyone,
    /// Any signed-in user.
    SignedIn,
    /// A signed-in user with the role of an operator.
    Operator,
    /// A signed-in user with the role of a moderator or an operator.
    Moderator,
    /// A signed-in user with the role of an auditor or an operator.
    Auditor,
    /// A signed-in user with any role.
    Staff,
    /// Another part of the platform; the permissions of the bus keep everyone else out.
    Part,
}

impl Access {
    /// The word for it in discovery and documentation.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Anyone => "anyone",
            Self::SignedIn => "signed_in",
            Self::Operator => "operator",
            Self::Moderator => "moderator",
            Self::Auditor => "auditor",
            Self::Staff => "staff",
            Self::Part => "part",
        }
    }

    /// The roles of which the caller needs one. Empty where none is needed.
    #[must_use]
    pub const fn roles(self) -> &'static [Role] {
        match self {
            Self::Anyone | Self::SignedIn | Self::Part => &[],
            Self::Operator => &[Role::Operator],
            Self::Moderator => &[Role::Operator, Role::Moderator],
            Self::Auditor => &[Role::Operator, Role::Auditor],
            Self::Staff => &Role::ALL,
        }
    }

    /// Whether the caller's passport counts.
    #[must_use]
    pub const fn needs_passport(self) -> bool {
        !matches!(self, Self::Anyone | Self::Part)
    }
}

/// A caller that passed a check. The types below have no other constructor: a handler that takes [`SignedIn`] can't
/// be reached without a sign-in.
pub trait Caller: Sized + Send + 'static {
    /// What the check asks.
    const ACCESS: Access;

    /// Checks the identity that the passport proved, if there was one.
    ///
    /// # Errors
    /// [`crate::Code::Unauthenticated`] or [`crate::Code::Forbidden`].
    fn admit(identity: Option<Identity>) -> Result<Self, Error>;
}

/// Nobody in particular.
#[derive(Debug, Clone, Copy)]
pub struct Anyone(());

impl Caller for Anyone {
    const ACCESS: Access = Access::Anyone;

    fn admit(_: Option<Identity>) -> Result<Self, Error> {
        Ok(Self(()))
    }
}

/// A signed-in user.
#[derive(Debug, Clone)]
pub struct SignedIn(Identity);

impl SignedIn {
    /// The user.
    #[must_use]
    pub const fn user(&self) -> UserId {
        self.0.user
    }

    /// The sign-in that the call comes from.
    #[must_use]
    pub const fn session(&self) -> SessionId {
        self.0.session
    }

    /// The user's roles.
    #[must_use]
    pub fn roles(&self) -> &[Role] {
        &self.0.roles
    }
}

impl Caller for SignedIn {
    const ACCESS: Access = Access::SignedIn;

    fn admit(identity: Option<Identity>) -> Result<Self, Error> {
        identity.map(Self).ok_or_else(|| Error::unauthenticated("sign in first: user.login or user.resume"))
    }
}

/// Callers who need a role.
macro_rules! staff {
    ($($(#[$doc:meta])* $name:ident: $refusal:literal;)*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name(SignedIn);

        impl $name {
            /// The caller, as a user.
            #[must_use]
            pub const fn signed_in(&self) -> &SignedIn {
                &self.0
            }
        }

        impl Caller for $name {
            const ACCESS: Access = Access::$name;

            fn admit(identity: Option<Identity>) -> Result<Self, Error> {
                let caller = SignedIn::admit(identity)?;
                if caller.0.roles.iter().any(|role| Self::ACCESS.roles().contains(role)) {
                    Ok(Self(caller))
                } else {
                    Err(Error::forbidden($refusal))
                }
            }
        }
    )* };
}

staff! {
    /// A signed-in user who is an operator.
    Operator: "only an operator may do this";
    /// A signed-in user who is a moderator or an operator.
    Moderator: "only a moderator or an operator may do this";
    /// A signed-in user who is an auditor or an operator.
    Auditor: "only an auditor or an operator may do this";
    /// A signed-in user with any role.
    Staff: "only an operator, a moderator or an auditor may do this";
}

/// Another part of the platform.
#[derive(Debug, Clone, Copy)]
pub struct Part(());

impl Caller for Part {
    const ACCESS: Access = Access::Part;

    fn admit(_: Option<Identity>) -> Result<Self, Error> {
        Ok(Self(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(roles: Vec<Role>) -> Identity {
        Identity {
            user: UserId::new(7).unwrap(),
            session: SessionId::new(1).unwrap(),
            roles: List::new(roles).unwrap(),
        }
    }

    #[test]
    fn a_role_admits_where_it_suffices_and_nowhere_else() {
        assert_eq!(Operator::admit(None).unwrap_err().code, crate::Code::Unauthenticated);
        assert_eq!(Staff::admit(Some(identity(vec![]))).unwrap_err().code, crate::Code::Forbidden);
        for role in Role::ALL {
            let is = |result: bool, may: &[Role]| assert_eq!(result, may.contains(&role), "{}", role.name());
            is(Operator::admit(Some(identity(vec![role]))).is_ok(), &[Role::Operator]);
            is(Moderator::admit(Some(identity(vec![role]))).is_ok(), &[Role::Operator, Role::Moderator]);
            is(Auditor::admit(Some(identity(vec![role]))).is_ok(), &[Role::Operator, Role::Auditor]);
            is(Staff::admit(Some(identity(vec![role]))).is_ok(), &Role::ALL);
        }
    }
}
