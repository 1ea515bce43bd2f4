//! `user.resume`.

use broker_schemas::user::{Resume, Session};
use broker_schemas::{Anyone, Error, Timestamp};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::token::{Token, TokenHash};

impl Handle<Resume> for Module {
    async fn handle(&self, call: &Call<Anyone>, request: Resume) -> Result<Session> {
        let token = Token::generate()?;
        let expires_at = Timestamp::now().after(self.settings.session_lifetime());
        let open = self
            .store
            .resume_session(&TokenHash::of(&request.token), &token.hash(), expires_at, call.edge.as_ref())
            .await?
            .ok_or_else(|| Error::unauthenticated("the token is void: sign in with name and password"))?;
        self.welcome(call, open, token, expires_at).await
    }
}
