//! Gates on their way to the message module.
//!
//! A change that opens or closes a gate writes it into the outbox in the same transaction. The method that made the
//! change tells the message module before it answers; what could not be told then, a worker tells later, also after a
//! restart. Several may tell the same gate: its version makes that harmless.

use std::sync::Arc;
use std::time::Duration;

use broker_schemas::message::SetGate;
use broker_schemas::{Code, Done, Error, Method};
use natter_host::{Failure, Result, Scope};

use crate::Module;
use crate::change::Change;
use crate::relation::Pair;

/// How many gates are read from the outbox at once.
const BATCH: u32 = 64;
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);
/// For so long a gate that should be closed may stay open after the message module is back.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

impl Module {
    /// Ends a method that closes a gate: tells the message module, then the two users.
    ///
    /// # Errors
    /// When messages may still pass. The change is stored all the same, and the method can be repeated until they can't.
    pub(crate) async fn finish_closing(&self, scope: &Scope, pair: Pair, change: &Change) -> Result<Done> {
        let told = self.tell_gate_of(scope, pair).await;
        self.push_removed(pair, change).await;
        match told {
            Ok(()) => Ok(Done {}),
            Err(Failure::Refused(error)) => {
                tracing::warn!(%error, "gate not closed yet");
                Err(Error::timeout(
                    "recorded, but the message service has not confirmed it: messages may pass until it has; \
                     repeat the call to know",
                )
                .into())
            }
            Err(broken) => Err(broken),
        }
    }

    /// Tells the message module of a new friendship, now if that is possible.
    pub(crate) async fn open_gate(&self, scope: &Scope, pair: Pair) {
        if let Err(failure) = self.tell_gate_of(scope, pair).await {
            tracing::warn!(?failure, "gate not opened yet");
        }
    }

    /// Tells the gate of `pair` if the message module hasn't confirmed it, be it from this call or an earlier one.
    async fn tell_gate_of(&self, scope: &Scope, pair: Pair) -> Result<()> {
        match self.store.untold_gate(pair).await? {
            Some(gate) => self.tell_gate(scope, &gate).await,
            None => Ok(()),
        }
    }

    async fn tell_gate(&self, scope: &Scope, gate: &SetGate) -> Result<()> {
        self.bus.call(scope, gate).await?;
        self.store.forget_gate(gate).await
    }

    /// Empties the outbox again and again, for as long as it is polled.
    pub(crate) async fn empty_outbox(self: Arc<Self>) {
        let mut pause = SHORTEST_PAUSE;
        loop {
            pause = match self.tell_gates().await {
                Ok(()) => SHORTEST_PAUSE,
                Err(failure) => {
                    tracing::warn!(?failure, "gates wait in the outbox");
                    (pause * 2).min(LONGEST_PAUSE)
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Tries each gate in the outbox once. Ends early when nobody answers: the rest would fare no better.
    async fn tell_gates(&self) -> Result<()> {
        let mut last = None;
        loop {
            let batch = self.store.untold_gates(last.as_ref(), BATCH).await?;
            for gate in &batch {
                let scope = Scope::background(SetGate::SPEC.deadline);
                match self.tell_gate(&scope, gate).await {
                    Ok(()) => {}
                    // About this gate alone: it must not hold up the others.
                    Err(Failure::Refused(error))
                        if !matches!(error.code, Code::Unavailable | Code::Timeout) =>
                    {
                        tracing::warn!(%error, a = %gate.a, b = %gate.b, "gate refused");
                    }
                    Err(failure) => return Err(failure),
                }
            }
            last = batch.into_iter().next_back();
            if last.is_none() {
                return Ok(());
            }
        }
    }
}
