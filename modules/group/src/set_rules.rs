//! `group.set_rules`: what names and announcements must not contain.

use broker_schemas::group::SetRules;
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
    use natter_host::testing::databases;

    use crate::store::MIGRATIONS;

    #[tokio::test]
    async fn rules_for_names_and_announcements_hold_after_a_restart() {
        for test in databases("group", MIGRATIONS).await {
            let rule = |applies| Rule {
                applies,
                pattern: Text::new("casino").unwrap(),
                then: Then::Refuse,
                words: Text::new("no adverts").unwrap(),
            };
            let rules = vec![rule(Applies::Names), rule(Applies::Texts)];
            let book = RuleBook { version: 3, rules: List::new(rules).unwrap() };
            let opened = async || RulesInForce::open(test.database.clone()).await.unwrap();
            opened().await.set(&book).await.unwrap();
            let rules = opened().await.current();
            let name = rules.check_name("name", "Casino").unwrap_err();
            assert_eq!(name.message, "name: no adverts", "{}", test.name);
            let text = rules.check_text("text", "casino").unwrap_err();
            assert_eq!(text.message, "text: no adverts", "{}", test.name);
        }
    }
}
