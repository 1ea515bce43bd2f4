//! `user.renew`.

use broker_schemas::user::Renew;
use broker_schemas::{Done, Error, Part};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<Renew> for Module {
    async fn handle(&self, call: &Call<Part>, request: Renew) -> Result<Done> {
        // An expired passport will do: the signature says which session it is for, and the session decides.
        let passport = self.verifier.open(&request.passport);
        let identity = passport.ok_or_else(|| Error::unauthenticated("the passport is not valid"))?.identity;
        let (user, session) = (identity.user, identity.session);
        let renewed = self.store.renew_session(user, session, call.edge.as_ref()).await?;
        let renewed =
            renewed.ok_or_else(|| Error::unauthenticated("the session has ended: sign in again"))?;
        self.tell_presence(&renewed.presence).await;
        call.attach(&self.signer.sign(user, session, renewed.roles)?)?;
        Ok(Done {})
    }
}
