//! `user.login`.

use broker_schemas::user::{Login, Session};
use broker_schemas::{Anyone, Error, Timestamp};
use natter_host::{Call, Handle, Result};

use crate::guessing::Origin;
use crate::store::NewSession;
use crate::token::Token;
use crate::{Module, name};

impl Handle<Login> for Module {
    async fn handle(&self, call: &Call<Anyone>, request: Login) -> Result<Session> {
        let device = name::device(request.device.as_deref())?;
        let name = name::key(&request.name);
        let origin = Origin::of(call.client_address.as_deref());
        let account = self.store.credentials(&name, &origin).await?;

        let origin_is_known = account.as_ref().is_some_and(|account| account.origin_is_known);
        let attempt = self.guessing.attempt(Timestamp::now(), &name, &origin, origin_is_known).await?;
        let stored = account.as_ref().map(|account| account.password.clone());
        let good = self.passwords.verify(request.password.into(), stored).await?;
        // An account that doesn't exist and a wrong password look the same, and take the same time.
        let Some(account) = account.filter(|_| good) else {
            attempt.failed().await?;
            return Err(wrong().into());
        };
        drop(attempt);

        let token = Token::generate()?;
        let expires_at = Timestamp::now().after(self.settings.session_lifetime());
        let new = NewSession {
            user: account.user,
            password: &account.password,
            device,
            origin: &origin,
            edge: call.edge.as_ref(),
            token: &token.hash(),
            expires_at,
            most: self.settings.sessions_per_user,
        };
        let open = self.store.open_session(&new).await?.ok_or_else(wrong)?;
        tracing::info!(user = %open.user, session = %open.session, "signed in");
        self.welcome(call, open, token, expires_at).await
    }
}

fn wrong() -> Error {
    Error::unauthenticated("wrong name or password")
}
