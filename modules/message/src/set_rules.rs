//! `message.set_rules`: what texts must not contain.

use broker_schemas::message::SetRules;
use broker_schemas::{Done, Part};
use natter_host::{Call, Handle, Result};

use crate::Module;

impl Handle<SetRules> for Module {
    async fn handle(&self, _: &Call<Part>, request: SetRules) -> Result<Done> {
        self.rules.set(&request.book).await?;
        Ok(Done {})
    }
}

#[cfg(test)]
mod tests {
    use broker_schemas::admin::{Applies, Rule, RuleBook, Then};
    use broker_schemas::{List, Text};
    use natter_host::RulesInForce;

    use crate::testing::stores;

    #[tokio::test]
    async fn rules_for_texts_hold_after_a_restart() {
        for (_store, test) in stores().await {
            let rule = |pattern, then| Rule {
                applies: Applies::Texts,
                pattern: Text::new(pattern).unwrap(),
                then,
                words: Text::new("no adverts").unwrap(),
            };
            let rules = vec![rule("casino", Then::Refuse), rule(r"cheap\s+watches", Then::Report)];
            let book = RuleBook { version: 3, rules: List::new(rules).unwrap() };
            let opened = async || RulesInForce::open(test.database.clone()).await.unwrap();
            opened().await.set(&book).await.unwrap();
            let rules = opened().await.current();
            assert!(rules.check_text("text", "the CASINO").is_err(), "{}", test.name);
            assert_eq!(rules.check_text("text", "Cheap  watches"), Ok(Some("no adverts")), "{}", test.name);
            assert_eq!(rules.check_text("text", "watches"), Ok(None), "{}", test.name);
        }
    }
}
