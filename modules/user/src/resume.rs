//! `user.resume`.

use std::sync::Arc;

use broker_schemas::user::{Resume, Session};
use broker_schemas::{Anyone, Error, Timestamp};
use natter_host::{Batcher, Bus, Call, Failure, Handle, Result, Work};

use crate::store::{OpenSession, Resumption, Store};
use crate::token::{Token, TokenHash};
use crate::{Module, presence};

/// How many sessions one transaction opens again at most. It holds the locks of their accounts meanwhile.
const AT_ONCE: usize = 64;

/// What becomes of a [`Resumption`]; `None` when the token is void.
pub(crate) type Resumed = std::result::Result<Option<OpenSession>, Error>;

impl Handle<Resume> for Module {
    async fn handle(&self, call: &Call<Anyone>, request: Resume) -> Result<Session> {
        let token = Token::generate()?;
        let expires_at = Timestamp::now().after(self.settings.session_lifetime());
        let resumption = Resumption {
            token: TokenHash::of(&request.token),
            next: token.hash(),
            expires_at,
            edge: call.edge.clone(),
        };
        let open = self
            .resumptions
            .submit(resumption)
            .await??
            .ok_or_else(|| Error::unauthenticated("the token is void: sign in with name and password"))?;
        self.welcome(call, open, token, expires_at).await
    }
}

/// Opens sessions again in batches: thousands of clients come back at once when an edge died.
pub(crate) struct Resuming {
    store: Arc<Store>,
    bus: Bus,
}

impl Resuming {
    pub(crate) fn start(store: Arc<Store>, bus: Bus) -> Batcher<Resumption, Resumed> {
        Batcher::start("sessions to be resumed", AT_ONCE, Self { store, bus })
    }
}

impl Work<Resumption, Resumed> for Resuming {
    async fn work(&mut self, resumptions: Vec<Resumption>) -> Vec<Resumed> {
        match self.store.resume_sessions(&resumptions).await {
            Ok(mut opened) => {
                // Here, for who asked may have given up meanwhile, and it is so all the same.
                for open in opened.iter_mut().flatten() {
                    presence::tell(&self.bus, &std::mem::take(&mut open.presence)).await;
                }
                opened.into_iter().map(Ok).collect()
            }
            Err(failure) => {
                let error = match failure {
                    Failure::Refused(error) => error,
                    Failure::Broken(cause) => {
                        tracing::error!(?cause, sessions = resumptions.len(), "sessions not resumed");
                        Error::internal()
                    }
                };
                resumptions.iter().map(|_| Err(error.clone())).collect()
            }
        }
    }
}
