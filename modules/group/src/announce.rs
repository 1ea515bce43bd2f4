//! `group.announce`: sets the text that a group shows to whoever opens it.

use broker_schemas::group::{Announce, Announcement, Change};
use broker_schemas::{Done, Error, SignedIn, Timestamp};
use natter_host::{Call, Handle, Result};

use crate::authorise::Allowed;
use crate::change::{Applied, Rule};
use crate::{Module, Settings};

impl Handle<Announce> for Module {
    async fn handle(&self, call: &Call<SignedIn>, request: Announce) -> Result<Done> {
        if request.text.contains('\0') {
            return Err(Error::invalid("text: the character U+0000 is not accepted").into());
        }
        let caller = call.caller.user();
        self.silences.check(caller).await?;
        self.rules.current().check_text("text", &request.text)?;
        let outcome = self.change(caller, &request).await?;
        self.finish(&call.scope, &outcome).await
    }
}

impl Rule for Announce {
    async fn apply(&self, allowed: &mut Allowed<Self>, _: &Settings) -> Result<Applied> {
        let shown = allowed.group.announcement.as_ref().map_or("", |announcement| &announcement.text);
        if shown == &*self.text {
            return Ok(Applied::Nothing);
        }
        let text = self.text.to_string();
        let announcement = Announcement { text, by: allowed.caller, at: Timestamp::now() };
        allowed.group.announcement = Some(announcement).filter(|_| !self.text.is_empty());
        Ok(Applied::Changed(Change::Announced { text: self.text.clone() }))
    }
}

#[cfg(test)]
mod tests {
    use broker_schemas::Text;
    use broker_schemas::group::Admission;

    use super::*;
    use crate::group::tests::user;
    use crate::store::tests::fixtures;

    #[tokio::test]
    async fn a_text_is_shown_until_an_empty_one_takes_it_away() {
        for fixture in fixtures().await {
            let group = fixture.group(Admission::Open, &[]).await;
            for text in ["", "Meet at 9", "Meet at 9", "Meet at 10 — \"sharp\"", "", ""] {
                let text = Text::new(text).unwrap();
                let before = fixture.store.group(group).await.unwrap().unwrap();
                let is_so = before.announcement.is_some_and(|shown| shown.text == *text);
                let applied = fixture.act(1, &Announce { group, text: text.clone() }).await;
                let after = fixture.store.group(group).await.unwrap().unwrap().announcement;
                if is_so || (text.is_empty() && before.version == 1) {
                    assert_eq!(applied, Applied::Nothing, "{}: {text:?}", fixture.database);
                }
                assert_eq!(after.as_ref().map_or("", |shown| &shown.text), &*text, "{}", fixture.database);
                assert!(after.is_none_or(|shown| shown.by == user(1)), "{}", fixture.database);
            }
            assert_eq!(fixture.version(group).await, 4, "{}: told when it changed", fixture.database);
            fixture.check(group).await;
        }
    }
}
