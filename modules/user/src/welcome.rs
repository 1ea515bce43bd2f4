//! What `login` and `resume` answer: the session, and what a client shows first.

use std::time::Duration;

use broker_schemas::subject::Audience;
use broker_schemas::{Delivery, SessionId, Timestamp, UserId, friend, group, message, user};
use natter_host::{Call, Result, Verifier};

use crate::Module;
use crate::store::OpenSession;
use crate::token::Token;

/// How long a sign-in waits for the friends, the groups and what is unread. It answers without them rather than late.
const FETCH_PATIENCE: Duration = Duration::from_secs(1);

impl Module {
    /// Signs the connection in and answers with the session, whether or not the other services can be had.
    pub(crate) async fn welcome<C>(
        &self,
        call: &Call<C>,
        open: OpenSession,
        token: Token,
        expires_at: Timestamp,
    ) -> Result<user::Session> {
        self.tell_presence(&open.presence).await;
        for session in &open.displaced {
            let words = "you signed in on more devices than you may; this one was the oldest";
            self.close(open.user, *session, "too_many_sessions", words).await;
        }
        if let Some(session) = open.moved_from.filter(|session| !self.is_of(call, *session)) {
            let words = "the session was resumed on another connection";
            self.close(open.user, session, "resumed_elsewhere", words).await;
        }

        let attachment = self.signer.sign(open.user, open.session, open.roles)?;
        let scope = call.scope.with_passport(Verifier::header(&attachment.passport)).within(FETCH_PATIENCE);
        let list_groups = group::ListGroups { unread: Some(false) };
        let (friends, groups, unread) = tokio::join!(
            self.bus.call(&scope, &friend::ListFriends {}),
            self.bus.call(&scope, &list_groups),
            self.bus.call(&scope, &message::GetUnread {}),
        );
        call.attach(&attachment)?;
        Ok(user::Session {
            user: open.user,
            name: open.name,
            display_name: open.display_name,
            session: open.session,
            token: token.into_inner(),
            expires_at,
            friends: friends.map(|reply| reply.friends).into(),
            groups: groups.map(|reply| reply.groups).into(),
            unread: unread.map(|reply| reply.conversations).into(),
        })
    }

    /// Whether the call comes from the connection that has this session. Its edge signs it out itself when the reply signs
    /// it in anew.
    fn is_of<C>(&self, call: &Call<C>, session: SessionId) -> bool {
        let passport =
            call.scope.passport.as_deref().and_then(|passport| self.verifier.verify(passport).ok());
        passport.is_some_and(|identity| identity.session == session)
    }

    /// Closes every session of a user.
    pub(crate) async fn close_all(&self, user: UserId, code: &str, message: &str) {
        let (code, message) = (code.to_owned(), message.to_owned());
        self.deliver(user, &Delivery::Close { only: None, except: None, code, message }).await;
    }

    async fn close(&self, user: UserId, session: SessionId, code: &str, message: &str) {
        let (code, message) = (code.to_owned(), message.to_owned());
        self.deliver(user, &Delivery::Close { only: Some(session), except: None, code, message }).await;
    }

    /// Sends `delivery` to the sessions of a user; what can't be sent now is not sent.
    pub(crate) async fn deliver(&self, user: UserId, delivery: &Delivery) {
        if let Err(error) = self.bus.deliver(Audience::User(user), delivery).await {
            tracing::warn!(%user, %error, "sessions not closed");
        }
    }
}
