//! Following a campaign to its end: bars on a terminal, lines elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use broker_schemas::admin::{self, Campaign, CampaignState};
use broker_schemas::{Code, Outcome, Timestamp};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::state;
use crate::admin::desk::Desk;
use crate::exit::Failure;
use crate::text::Safe;

/// How often to ask how far it is.
const EVERY: Duration = Duration::from_secs(1);

/// Follows a campaign until nothing more is sent. An edge that goes away ends nothing, nor a module that can't be reached for
/// now.
pub(super) async fn run(desk: &mut Desk, campaign: u64) -> anyhow::Result<()> {
    let bars = (!desk.is_json() && std::io::stderr().is_terminal()).then(Bars::new);
    let mut last = String::new();
    loop {
        let line = match ask(desk, campaign).await {
            Ok(found) => {
                if let Some(bars) = &bars {
                    bars.show(&found);
                }
                let line = progress(&found);
                if is_over(found.state) {
                    if let Some(bars) = &bars {
                        bars.leave();
                    }
                    return desk.say(&found, line);
                }
                line
            }
            Err(failure) if is_passing(&failure) => {
                let line = match desk.is_connected() {
                    true => format!("campaign {campaign}: {failure}; asking again"),
                    false => format!("offline ({failure}); trying again"),
                };
                if let Some(bars) = &bars {
                    bars.say(&line);
                }
                line
            }
            Err(failure) => return Err(failure.into()),
        };
        if bars.is_none() && line != last {
            desk.line(&line)?;
            last = line;
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// How far a campaign is, asked on a new connection when the last one was lost.
async fn ask(desk: &mut Desk, campaign: u64) -> Result<Campaign, Failure> {
    if !desk.is_connected() {
        desk.reconnect().await?;
    }
    desk.call(&admin::GetCampaign { campaign }).await
}

/// Whether another attempt may go better.
fn is_passing(failure: &Failure) -> bool {
    match failure {
        Failure::Usage(_) => false,
        Failure::Unreachable(_) => true,
        Failure::Call(error) => error.outcome() != Outcome::Rejected || error.code() == Code::RateLimited,
    }
}

/// Whether nothing more is sent.
const fn is_over(state: CampaignState) -> bool {
    matches!(state, CampaignState::Done | CampaignState::Expired | CampaignState::Cancelled)
}

/// How far a campaign is, on a line.
fn progress(campaign: &Campaign) -> String {
    let of = campaign.recipients.map_or(String::new(), |count| format!(" of {count}"));
    let [sent, delivered, read] = super::counts(campaign.reach);
    let trouble = campaign.trouble.as_ref().map(|trouble| format!("; {trouble}")).unwrap_or_default();
    let (id, state) = (campaign.campaign, state(campaign, Timestamp::now()));
    format!("campaign {id} {state}: sent {sent}{of}, delivered {delivered}, read {read}{trouble}")
}

/// A bar each for what was sent, delivered and read.
struct Bars {
    all: MultiProgress,
    bars: [ProgressBar; 3],
}

impl Bars {
    fn new() -> Self {
        let all = MultiProgress::new();
        let style = ProgressStyle::with_template("{prefix:>9} [{bar:40}] {pos}/{len} {percent}%  {msg}");
        let bars = ["sent", "delivered", "read"].map(|prefix| {
            let bar = all.add(ProgressBar::new(0).with_prefix(prefix));
            if let Ok(style) = &style {
                bar.set_style(style.clone().progress_chars("=> "));
            }
            bar
        });
        Self { all, bars }
    }

    fn show(&self, campaign: &Campaign) {
        let recipients = campaign.recipients.unwrap_or_default();
        let reach = campaign.reach.unwrap_or_default();
        for (bar, count) in self.bars.iter().zip([reach.sent, reach.delivered, reach.read]) {
            // Whoever signed up meanwhile may have it too.
            bar.set_length(recipients.max(count));
            bar.set_position(count);
        }
        let trouble = campaign.trouble.as_deref().unwrap_or_default();
        let said = if trouble.is_empty() { state(campaign, Timestamp::now()) } else { trouble };
        self.say(said);
    }

    fn say(&self, words: &str) {
        self.bars[0].set_message(Safe::line(words).to_string());
    }

    fn leave(&self) {
        for bar in &self.bars {
            bar.abandon();
        }
        // What could not be drawn is missed by nobody: the last line says it all.
        let _ = self.all.println("");
    }
}

#[cfg(test)]
mod tests {
    use broker_schemas::Error;
    use natter_client::CallError;

    use super::super::tests::running;
    use super::*;

    #[test]
    fn what_passes_is_tried_again_and_a_refusal_is_not() {
        let refused = |code| {
            let error = Error::new(code, "no");
            let outcome = error.outcome();
            Failure::Call(CallError::Refused { error, outcome })
        };
        assert!(is_passing(&Failure::Unreachable("connection refused".into())));
        assert!(is_passing(&Failure::Call(CallError::NotSent("the connection is gone".into()))));
        for (code, passes) in [
            (Code::Unavailable, true),
            (Code::Timeout, true),
            (Code::RateLimited, true),
            (Code::Forbidden, false),
            (Code::NotFound, false),
            (Code::Unauthenticated, false),
        ] {
            assert_eq!(is_passing(&refused(code)), passes, "{code:?}");
        }
    }

    #[test]
    fn progress_says_how_many_of_how_many_and_what_holds_it_up() {
        assert_eq!(
            progress(&running(4_000)),
            "campaign 3 running: sent 4000 of 10000, delivered 2000, read 1000"
        );
        let stuck = Campaign { reach: None, trouble: Some("no message module".into()), ..running(0) };
        assert_eq!(
            progress(&stuck),
            "campaign 3 running: sent - of 10000, delivered -, read -; no message module"
        );
    }

    #[test]
    fn bars_follow_the_counts_and_grow_with_them() {
        let bars = Bars::new();
        bars.show(&Campaign { recipients: Some(10), ..running(12) });
        let shown: Vec<_> = bars.bars.iter().map(|bar| (bar.position(), bar.length())).collect();
        assert_eq!(shown, [(12, Some(12)), (6, Some(10)), (3, Some(10))]);
    }
}
