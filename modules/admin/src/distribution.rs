//! Handing the rules to the modules that apply them, until each has them.
//!
//! Each keeps them in its own tables. So they hold while this module is down, and it is enough to tell one copy of each.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use broker_schemas::admin::{NumberedRule, RuleBook};
use broker_schemas::{Error, List, Service, group, message, user};
use futures_util::future::join_all;
use natter_host::{Failure, Result, Scope};
use tokio_util::sync::CancellationToken;

use crate::{Checked, Module};

/// The services whose modules apply rules.
const HOLDERS: [&str; 3] = [user::User::NAME, group::Group::NAME, message::Message::NAME];
/// How often it looks whether one lacks the rules.
const LOOK_EVERY: Duration = Duration::from_secs(2);
const CALL: Duration = Duration::from_secs(2);

/// The rules, as they are handed out.
pub(crate) fn book(version: u64, rules: Vec<NumberedRule>) -> Checked<RuleBook> {
    let rules = List::new(rules.into_iter().map(|numbered| numbered.rule).collect::<Vec<_>>());
    Ok(RuleBook { version, rules: rules.map_err(Error::invalid)? })
}

/// The modules that don't have `version` yet.
pub(crate) fn pending(version: u64, held: &HashMap<String, u64>) -> Vec<String> {
    let lacks = |holder: &&str| held.get(*holder).copied().unwrap_or(0) < version;
    HOLDERS.iter().filter(|holder| lacks(holder)).map(|holder| (*holder).to_owned()).collect()
}

/// Hands out, until it is stopped.
pub(crate) async fn run(module: Arc<Module>, stop: CancellationToken) {
    // Once at its start it tells everyone, whatever its tables say: those of another module may have been restored.
    let mut told = HashMap::new();
    let distribute = async {
        loop {
            if let Err(failure) = module.distribute(&mut told).await {
                tracing::warn!(?failure, "rules not handed out; trying again");
            }
            tokio::select! {
                () = module.rules_changed.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    };
    stop.run_until_cancelled(distribute).await;
}

impl Module {
    async fn distribute(&self, told: &mut HashMap<String, u64>) -> Result<()> {
        let (version, rules) = self.store.rules().await?;
        let lacking = pending(version, told);
        if lacking.is_empty() {
            return Ok(());
        }
        let book = book(version, rules)?;
        let mut problem = Ok(());
        // At once: nobody waits for one that is down.
        let hands = lacking.into_iter().map(async |holder| (self.hand_to(&holder, &book).await, holder));
        for (handed, holder) in join_all(hands).await {
            match handed {
                Ok(()) => {
                    self.store.rules_held(&holder, version).await?;
                    tracing::info!(holder, version, "rules handed out");
                    told.insert(holder, version);
                }
                Err(error) => problem = Err(Failure::from(error)),
            }
        }
        problem
    }

    async fn hand_to(&self, holder: &str, book: &RuleBook) -> Checked<()> {
        let scope = Scope::background(CALL);
        let book = book.clone();
        match holder {
            user::User::NAME => self.bus.call(&scope, &user::SetRules { book }).await,
            group::Group::NAME => self.bus.call(&scope, &group::SetRules { book }).await,
            _ => self.bus.call(&scope, &message::SetRules { book }).await,
        }
        .map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_is_pending_until_it_has_the_version() {
        assert!(pending(0, &HashMap::new()).is_empty());
        let held = HashMap::from([("user".to_owned(), 3), ("group".to_owned(), 2)]);
        assert_eq!(pending(3, &held), ["group", "message"]);
        assert_eq!(pending(2, &held), ["message"]);
    }
}
