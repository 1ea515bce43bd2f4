//! What may follow what in a campaign's life.

use broker_schemas::Error;
use broker_schemas::admin::CampaignState::{self, Cancelled, Done, Draft, Expired, Paused, Running};

use crate::Checked;

/// What an operator does with a campaign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Start,
    Pause,
    Resume,
    Cancel,
}

/// The state to which `step` brings a campaign; `None` when it is there already.
///
/// # Errors
/// [`broker_schemas::Code::Conflict`] when the step is none from this state.
pub(crate) fn next(state: CampaignState, step: Step) -> Checked<Option<CampaignState>> {
    match (step, state) {
        (Step::Start, Draft) | (Step::Resume, Paused) => Ok(Some(Running)),
        (Step::Pause, Running) => Ok(Some(Paused)),
        (Step::Cancel, Draft | Running | Paused) => Ok(Some(Cancelled)),
        (Step::Start | Step::Resume, Running) | (Step::Pause, Paused) | (Step::Cancel, Cancelled) => Ok(None),
        (Step::Start, Paused) => Err(Error::conflict("the campaign was started, and is paused: resume it")),
        (Step::Pause | Step::Resume, Draft) => Err(Error::conflict("the campaign has not been started")),
        (_, Done) => Err(Error::conflict("the campaign is done")),
        (_, Expired) => Err(Error::conflict("the campaign's end has passed")),
        (_, Cancelled) => Err(Error::conflict("the campaign was cancelled")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_campaign_moves_as_the_table_says_and_never_out_of_an_end() {
        type Row = (Step, [Option<Option<CampaignState>>; 6]);
        let states = [Draft, Running, Paused, Done, Expired, Cancelled];
        let (to, stays, refused) = (|state| Some(Some(state)), Some(None), None);
        let table: [Row; 4] = [
            (Step::Start, [to(Running), stays, refused, refused, refused, refused]),
            (Step::Pause, [refused, to(Paused), stays, refused, refused, refused]),
            (Step::Resume, [refused, stays, to(Running), refused, refused, refused]),
            (Step::Cancel, [to(Cancelled), to(Cancelled), to(Cancelled), refused, refused, stays]),
        ];
        for (step, expected) in table {
            for (state, expected) in states.into_iter().zip(expected) {
                assert_eq!(next(state, step).ok(), expected, "{step:?} from {state:?}");
            }
        }
    }
}
