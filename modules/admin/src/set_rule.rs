//! `admin.set_rule`: adds a rule, or replaces one.

use broker_schemas::admin::{RULES_MAX, RuleSet, SetRule};
use broker_schemas::{Error, Operator};
use natter_host::rules::{Rules, check_rule};
use natter_host::{Call, Handle, Result};

use crate::Module;
use crate::distribution::book;
use crate::remove_rule::no_such_rule;

impl Handle<SetRule> for Module {
    async fn handle(&self, call: &Call<Operator>, request: SetRule) -> Result<RuleSet> {
        self.audited(call, &request, None, async {
            check_rule(&request.rule)?;
            // Who applies them compiles them all, and would refuse them all.
            let check = |rules| Rules::compile(&book(0, rules)?).map(drop);
            let id = match request.id {
                Some(id) => self
                    .store
                    .replace_rule(id, &request.rule, check)
                    .await?
                    .then_some(id)
                    .ok_or_else(no_such_rule)?,
                None => self.store.add_rule(&request.rule, check).await?.ok_or_else(|| {
                    Error::conflict(format!("there are {RULES_MAX} rules, the most there can be"))
                })?,
            };
            self.rules_changed.notify_one();
            Ok(RuleSet { id })
        })
        .await
    }
}
