//! Stands in for the user module: signs anybody in as anybody, and does what the test asks for.

// The macro makes the service public, so its types have to be.
#![allow(unreachable_pub, missing_docs)]

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use broker_schemas::caller::{Anyone, Part, Passport, SignedIn};
use broker_schemas::delivery::{Attachment, EventSpec};
use broker_schemas::{
    ContentType, Done, EdgeId, Error, Identity, List, SessionId, Text, Timestamp, UserId, service,
};
use natter_host::{Call, Handle, Result};
use natter_nats::PassportKey;
use postcard_schema::Schema;
use ring::signature::Ed25519KeyPair;
use serde::{Deserialize, Serialize};

pub(crate) const EVENTS: &[EventSpec] = &[];
pub(crate) const FACTS: &[EventSpec] = &[];

service! {
    /// Takes the place of the user module.
    User = "user" version 1, calls: [], hears: [], delivers: [Users];

    /// Signs in as whoever the request says.
    "login": Login => Done { by: Anyone, on: [Client], repeat: Once, deadline_ms: 5_000 }

    /// Signs in with a passport that some other key signed.
    "forge": Forge => Done { by: Anyone, on: [Client], repeat: Once, deadline_ms: 5_000 }

    /// Signs out.
    "logout": Logout => Done { by: SignedIn, on: [Client], repeat: Once, deadline_ms: 5_000 }

    /// Says the same, after a while.
    "echo": Echo => Echo { by: Anyone, on: [Client], repeat: Read, deadline_ms: 5_000 }

    /// Says who calls.
    "whoami": WhoAmI => Login { by: SignedIn, on: [Client], repeat: Read, deadline_ms: 5_000 }

    /// As the user module's.
    "renew": Renew => Done { by: Part, on: [Internal], repeat: Idempotent, deadline_ms: 5_000 }

    /// As the user module's.
    "report_sessions": Report => Reported { by: Part, on: [Internal], repeat: Idempotent, deadline_ms: 2_000 }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
pub struct Login {
    pub(crate) user: UserId,
    pub(crate) session: SessionId,
}

#[derive(Debug, Clone, Serialize, Deserialize, Schema)]
pub struct Forge {
    pub(crate) user: UserId,
}

#[derive(Debug, Clone, Serialize, Deserialize, Schema)]
pub struct Logout {}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Schema)]
pub struct Echo {
    pub(crate) text: Text<65536>,
    pub(crate) wait_ms: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize, Schema)]
pub struct WhoAmI {}

#[derive(Debug, Clone, Serialize, Deserialize, Schema)]
pub struct Renew {
    passport: List<u8, 512>,
}

#[derive(Debug, Clone, Serialize, Deserialize, Schema)]
pub struct Report {
    edge: EdgeId,
    closed: List<SessionId, 1024>,
    open: u32,
}

#[derive(Debug, Clone, Serialize, Deserialize, Schema)]
pub struct Reported {
    renew_all: bool,
}

/// What the service knows, and how it is to behave.
pub(crate) struct Demo {
    key: PassportKey,
    /// How long passports are good, in milliseconds.
    pub(crate) valid_for_ms: AtomicU32,
    pub(crate) refuse_renewals: AtomicBool,
    pub(crate) ask_to_renew_all: AtomicBool,
    pub(crate) renewals: AtomicU32,
    pub(crate) closed: Mutex<Vec<SessionId>>,
    pub(crate) open: AtomicU32,
}

impl Demo {
    pub(crate) fn new(key: PassportKey) -> Arc<Self> {
        Arc::new(Self {
            key,
            valid_for_ms: AtomicU32::new(900_000),
            refuse_renewals: AtomicBool::new(false),
            ask_to_renew_all: AtomicBool::new(false),
            renewals: AtomicU32::new(0),
            closed: Mutex::default(),
            open: AtomicU32::new(0),
        })
    }

    fn attachment(&self, identity: Identity, seed: &[u8; 32]) -> Attachment {
        let valid_for_ms = self.valid_for_ms.load(Ordering::SeqCst);
        let expires_at = Timestamp::now().after(Duration::from_millis(valid_for_ms.into()));
        let passport = Passport { key: self.key.id, identity: identity.clone(), expires_at };
        let mut passport = ContentType::Postcard.encode(&passport).unwrap();
        let signature = Ed25519KeyPair::from_seed_unchecked(seed).unwrap().sign(&passport);
        passport.extend_from_slice(signature.as_ref());
        Attachment { identity, passport, valid_for_ms }
    }
}

fn identity(user: UserId, session: SessionId) -> Identity {
    Identity { user, session, roles: List::new(vec![]).unwrap() }
}

impl Handle<Login> for Demo {
    async fn handle(&self, call: &Call<Anyone>, request: Login) -> Result<Done> {
        call.attach(&self.attachment(identity(request.user, request.session), &self.key.seed))?;
        Ok(Done {})
    }
}

impl Handle<Forge> for Demo {
    async fn handle(&self, call: &Call<Anyone>, request: Forge) -> Result<Done> {
        call.attach(&self.attachment(identity(request.user, SessionId::new(1).unwrap()), &[7; 32]))?;
        Ok(Done {})
    }
}

impl Handle<Logout> for Demo {
    async fn handle(&self, call: &Call<SignedIn>, _: Logout) -> Result<Done> {
        call.detach("asked to");
        Ok(Done {})
    }
}

impl Handle<Echo> for Demo {
    async fn handle(&self, _: &Call<Anyone>, request: Echo) -> Result<Echo> {
        tokio::time::sleep(Duration::from_millis(request.wait_ms.into())).await;
        Ok(request)
    }
}

impl Handle<WhoAmI> for Demo {
    async fn handle(&self, call: &Call<SignedIn>, _: WhoAmI) -> Result<Login> {
        Ok(Login { user: call.caller.user(), session: call.caller.session() })
    }
}

impl Handle<Renew> for Demo {
    async fn handle(&self, call: &Call<Part>, request: Renew) -> Result<Done> {
        if self.refuse_renewals.load(Ordering::SeqCst) {
            return Err(Error::unauthenticated("the session ended").into());
        }
        self.renewals.fetch_add(1, Ordering::SeqCst);
        let (claims, _) = request.passport.split_at(request.passport.len() - 64);
        let passport: Passport = ContentType::Postcard.decode(claims)?;
        call.attach(&self.attachment(passport.identity, &self.key.seed))?;
        Ok(Done {})
    }
}

impl Handle<Report> for Demo {
    async fn handle(&self, _: &Call<Part>, request: Report) -> Result<Reported> {
        self.closed.lock().unwrap().extend(request.closed.iter());
        self.open.store(request.open, Ordering::SeqCst);
        Ok(Reported { renew_all: self.ask_to_renew_all.swap(false, Ordering::SeqCst) })
    }
}
