//! The audit log: every act of staff is written down before it is done, and what became of it after. Without the first, it
//! isn't done.

pub(crate) mod flood;
pub(crate) mod recorder;

use std::future::Future;

use broker_schemas::admin::AuditOutcome;
use broker_schemas::{Auditor, Caller, Error, Method, Moderator, Operator, Part, Role, SignedIn, Staff};
use broker_schemas::{EdgeId, Timestamp, UserId};
use natter_host::{Call, Failure, Result};
use serde::Serialize;

use crate::Module;

/// The most of a request that the log keeps, in bytes of JSON.
const REQUEST_BYTES: usize = 8 * 1024;

/// An act, as it is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Act {
    pub(crate) at: Timestamp,
    pub(crate) by: Option<UserId>,
    pub(crate) roles: Vec<Role>,
    /// From where, in words.
    pub(crate) origin: String,
    pub(crate) method: String,
    pub(crate) on: Option<UserId>,
    /// In JSON.
    pub(crate) request: String,
}

/// A caller whom the log can name.
pub(crate) trait Named: Caller + Sync {
    /// The user; nobody for another part of the platform.
    fn who(&self) -> Option<&SignedIn>;
}

macro_rules! named {
    ($($caller:ident),*) => { $(
        impl Named for $caller {
            fn who(&self) -> Option<&SignedIn> {
                Some(self.signed_in())
            }
        }
    )* };
}
named!(Operator, Moderator, Auditor, Staff);

impl Named for Part {
    fn who(&self) -> Option<&SignedIn> {
        None
    }
}

impl Act {
    pub(crate) fn of<R: Method<Caller: Named>>(
        call: &Call<R::Caller>,
        request: &R,
        on: Option<UserId>,
    ) -> Self {
        let who = call.caller.who();
        Self {
            at: Timestamp::now(),
            by: who.map(SignedIn::user),
            roles: who.map(|who| who.roles().to_vec()).unwrap_or_default(),
            origin: origin(call.client_address.as_deref(), call.edge.as_ref()),
            method: R::SPEC.name.to_owned(),
            on,
            request: json(request),
        }
    }
}

/// `192.0.2.7 through edge e1`. Whoever has the credential for it can call on the bus, without an edge.
pub(crate) fn origin(address: Option<&str>, edge: Option<&EdgeId>) -> String {
    match (address, edge) {
        (Some(address), Some(edge)) => format!("{address} through edge {edge}"),
        (Some(address), None) => address.to_owned(),
        (None, Some(edge)) => format!("edge {edge}"),
        (None, None) => "the bus".to_owned(),
    }
}

fn json(request: &impl Serialize) -> String {
    let mut text = serde_json::to_string(request).unwrap_or_else(|error| format!("not encoded: {error}"));
    text.truncate(text.floor_char_boundary(REQUEST_BYTES));
    text
}

fn refused(error: &Error) -> AuditOutcome {
    AuditOutcome::Refused { code: error.code, message: error.message.clone() }
}

fn outcome<T>(result: &Result<T>) -> AuditOutcome {
    match result {
        Ok(_) => AuditOutcome::Done,
        Err(Failure::Refused(error)) => refused(error),
        // Its cause is in the module's log.
        Err(Failure::Broken(_)) => refused(&Error::internal()),
    }
}

impl Module {
    /// Does what `request` asks by `act`, with an entry in the audit log.
    pub(crate) async fn audited<R: Method<Caller: Named>, T>(
        &self,
        call: &Call<R::Caller>,
        request: &R,
        on: Option<UserId>,
        act: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        self.audit(Act::of(call, request, on), act).await
    }

    /// Does `act`, which the log already has words for.
    pub(crate) async fn audit<T>(
        &self,
        entry: Act,
        act: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let entry = self.store.begin_act(&entry).await?;
        let mut open = self.recorder.open(entry);
        let result = act.await;
        let became = outcome(&result);
        match self.store.end_act(entry, &became).await {
            Ok(()) => open.written(),
            Err(failure) => {
                tracing::error!(entry, ?failure, "what became of an act is not in the audit log yet");
                open.became(became);
            }
        }
        result
    }

    /// Reads, by `read`, what is in the log only when it is refused.
    pub(crate) async fn noted_if_refused<R: Method<Caller: Named>, T>(
        &self,
        call: &Call<R::Caller>,
        request: &R,
        read: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let result = read.await;
        if let Err(Failure::Refused(error)) = &result {
            self.store.record_act(&Act::of(call, request, None), &refused(error)).await?;
        }
        result
    }
}

/// What a part of the platform reports needs no entry: these calls are no acts of staff.
pub(crate) fn is_logged(method: &str) -> bool {
    method != broker_schemas::admin::TakeReport::SPEC.name
}
