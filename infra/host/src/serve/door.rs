//! The wrong door: methods for operators have a client's subject too, where they are refused.
//!
//! An edge that carries no administrative calls takes them there like every other call. Nobody would answer, and nobody would
//! know who tried; so whoever serves such a method refuses it there, for everyone.

use std::sync::Arc;

use broker_schemas::{Error, Exposure};
use futures_util::FutureExt;

use super::refused::Unanswered;
use super::{Endpoint, Run};

impl Endpoint {
    /// The same method where clients call, refused; nothing for a method that is not for operators.
    pub(super) fn closed_to_clients(&self) -> Option<Self> {
        let refuse: Run = Box::new(|_| {
            let error = Error::forbidden(
                "this edge carries no administrative calls; use one that does (edge.admin = true)",
            );
            std::future::ready(Err(Unanswered::NotHandled(error))).boxed()
        });
        (self.exposure == Exposure::Admin).then(|| Self {
            spec: self.spec,
            exposure: Exposure::Client,
            run: Arc::new(refuse),
        })
    }
}
