//! Campaigns.

mod watch;

use broker_schemas::admin::{self, Campaign, CampaignState, Hours};
use broker_schemas::{Timestamp, message};
use clap::{Args, Subcommand};

use super::desk::{Desk, further, limited, text_of};
use super::table::{Table, beginning};
use super::{moment, segment};

/// How many columns of a title stand in the table.
const TITLE: usize = 32;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    Create(Create),
    /// Count whom a campaign would reach now, and for how long it would send
    DryRun(Which),
    /// Start a campaign: it begins at its time, or at once
    Start(Start),
    /// Halt a campaign; what is under way still arrives
    Pause(Which),
    /// Go on with a campaign that was paused
    Resume(Which),
    /// End a campaign for good; what was sent stays
    Cancel(Which),
    /// Show a campaign, and how far it is
    Show(Which),
    /// List campaigns, the newest first
    List {
        /// Only those before this one
        #[arg(long, value_name = "ID")]
        before: Option<u64>,
        /// How many, up to 200
        #[arg(long)]
        limit: Option<u32>,
    },
    /// Follow a campaign to its end: sent, delivered, read
    Watch(Which),
}

#[derive(Debug, Args)]
pub(super) struct Which {
    /// Which campaign
    campaign: u64,
}

#[derive(Debug, Args)]
pub(super) struct Start {
    /// Which campaign
    campaign: u64,
    /// Follow it to its end
    #[arg(long)]
    watch: bool,
}

/// Write a campaign down; nothing is sent before it is started
#[derive(Debug, Args)]
pub(super) struct Create {
    /// What staff calls it
    title: String,
    /// What recipients read; `-` reads it from standard input
    text: String,
    #[command(flatten, next_help_heading = "To whom, one of these")]
    segment: segment::Arguments,
    /// Not before this moment
    #[arg(long, value_name = "MOMENT", value_parser = moment::ahead)]
    starts_at: Option<Timestamp>,
    /// Not after this moment: it ends, even with recipients left
    #[arg(long, value_name = "MOMENT", value_parser = moment::ahead)]
    ends_at: Option<Timestamp>,
    /// Only in these hours of a day, in UTC: 09:00-17:00
    #[arg(long, value_name = "FROM-TO", value_parser = moment::hours)]
    hours: Option<Hours>,
    /// Recipients per second, 1 to 10,000; 500 otherwise
    #[arg(long, value_name = "COUNT")]
    per_second: Option<u32>,
}

pub(super) async fn run(desk: &mut Desk, command: Command) -> anyhow::Result<()> {
    match command {
        Command::Create(arguments) => create(desk, arguments).await,
        Command::DryRun(Which { campaign }) => {
            let forecast = desk.call(&admin::DryRun { campaign }).await?;
            let admin::Forecast { recipients, seconds } = forecast;
            desk.say(
                &forecast,
                format!("{recipients} recipients, in {} at its rate", moment::length(seconds)),
            )
        }
        Command::Start(Start { campaign, watch }) => {
            let done = desk.call(&admin::StartCampaign { campaign }).await?;
            if watch {
                return watch::run(desk, campaign).await;
            }
            let words = format!(
                "campaign {campaign} is started; follow it with: natter admin campaign watch {campaign}"
            );
            desk.say(&done, words)
        }
        Command::Pause(Which { campaign }) => {
            let done = desk.call(&admin::PauseCampaign { campaign }).await?;
            desk.say(&done, format!("campaign {campaign} is paused"))
        }
        Command::Resume(Which { campaign }) => {
            let done = desk.call(&admin::ResumeCampaign { campaign }).await?;
            desk.say(&done, format!("campaign {campaign} goes on"))
        }
        Command::Cancel(Which { campaign }) => {
            let done = desk.call(&admin::CancelCampaign { campaign }).await?;
            desk.say(&done, format!("campaign {campaign} is cancelled"))
        }
        Command::Show(Which { campaign }) => {
            let found = desk.call(&admin::GetCampaign { campaign }).await?;
            desk.say(&found, description(&found))
        }
        Command::List { before, limit } => {
            let page = desk.call(&admin::ListCampaigns { before, limit }).await?;
            let last = page.campaigns.last().map(|campaign| campaign.campaign);
            let below = further(page.more, "campaign list", "--before", last);
            desk.show(&page, &table(&page.campaigns), below.as_slice())
        }
        Command::Watch(Which { campaign }) => watch::run(desk, campaign).await,
    }
}

async fn create(desk: &Desk, arguments: Create) -> anyhow::Result<()> {
    let Create { title, text, segment, starts_at, ends_at, hours, per_second } = arguments;
    let (title, text) = (limited("the title", &title)?, limited("the text", &text_of(&text)?)?);
    let segment = segment.resolve(desk).await?;
    let request = admin::CreateCampaign { title, text, segment, starts_at, ends_at, hours, per_second };
    let made = desk.call(&request).await?;
    let id = made.campaign;
    desk.say(
        &made,
        format!("campaign {id} is written down; next: natter admin campaign dry-run {id}, then start {id}"),
    )
}

/// What a campaign does now. One that runs may have to wait for its time, which is no trouble.
fn state(campaign: &Campaign, now: Timestamp) -> &'static str {
    match campaign.state {
        CampaignState::Draft => "draft",
        CampaignState::Running if campaign.starts_at.is_some_and(|start| now < start) => {
            "waits for its start"
        }
        CampaignState::Running if campaign.hours.is_some_and(|hours| !hours.include(now)) => {
            "waits for its hours"
        }
        CampaignState::Running => "running",
        CampaignState::Paused => "paused",
        CampaignState::Done => "done",
        CampaignState::Expired => "expired",
        CampaignState::Cancelled => "cancelled",
    }
}

fn table(campaigns: &[Campaign]) -> Table {
    let now = Timestamp::now();
    let mut table =
        Table::new(&["ID>", "TITLE", "STATE", "RECIPIENTS>", "SENT>", "DELIVERED>", "READ>", "TROUBLE"]);
    for campaign in campaigns {
        let [sent, delivered, read] = counts(campaign.reach);
        table.row([
            campaign.campaign.to_string(),
            beginning(&campaign.title, TITLE),
            state(campaign, now).to_owned(),
            campaign.recipients.map_or("-".to_owned(), |count| count.to_string()),
            sent,
            delivered,
            read,
            campaign.trouble.clone().unwrap_or_default(),
        ]);
    }
    table
}

fn counts(reach: Option<message::Reach>) -> [String; 3] {
    match reach {
        Some(reach) => [reach.sent, reach.delivered, reach.read].map(|count| count.to_string()),
        None => ["-"; 3].map(str::to_owned),
    }
}

/// Everything about a campaign, a line each.
fn description(campaign: &Campaign) -> String {
    let time = |at: Option<Timestamp>| at.map_or("-".to_owned(), moment::shown);
    let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
    let hours = campaign.hours.map_or("any".to_owned(), |hours| {
        format!("{}-{} UTC", clock(hours.from_minute), clock(hours.to_minute))
    });
    let [sent, delivered, read] = counts(campaign.reach);
    let mut lines = vec![
        format!("campaign    {}: {}", campaign.campaign, campaign.title),
        format!("state       {}", state(campaign, Timestamp::now())),
        format!("to          {}", segment::words(&campaign.segment)),
        format!("begins      {}", time(campaign.starts_at)),
        format!("ends        {}", time(campaign.ends_at)),
        format!("hours       {hours}"),
        format!("rate        {} a second", campaign.per_second),
        format!("recipients  {}", campaign.recipients.map_or("-".to_owned(), |count| count.to_string())),
        format!("sent        {sent}"),
        format!("delivered   {delivered}"),
        format!("read        {read}"),
    ];
    lines.extend(campaign.trouble.as_ref().map(|trouble| format!("trouble     {trouble}")));
    lines.push(format!("text        {}", campaign.text));
    lines.join("\n")
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn running(sent: u64) -> Campaign {
        Campaign {
            campaign: 3,
            title: "spring".into(),
            text: "it is\nspring".into(),
            segment: admin::Segment::All {},
            starts_at: None,
            ends_at: None,
            hours: None,
            per_second: 500,
            state: CampaignState::Running,
            trouble: None,
            recipients: Some(10_000),
            reach: Some(message::Reach { sent, delivered: sent / 2, read: sent / 4 }),
        }
    }

    #[test]
    fn a_list_shows_how_far_each_is_and_what_is_wrong() {
        let stuck = Campaign { reach: None, trouble: Some("no message module".into()), ..running(0) };
        let draft = Campaign { state: CampaignState::Draft, recipients: None, ..running(0) };
        let shown = table(&[running(4_000), stuck, draft]).to_string();
        let lines: Vec<Vec<_>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(lines[1], ["3", "spring", "running", "10000", "4000", "2000", "1000"]);
        assert_eq!(lines[2], ["3", "spring", "running", "10000", "-", "-", "-", "no", "message", "module"]);
        assert_eq!(lines[3], ["3", "spring", "draft", "-", "0", "0", "0"]);
    }

    #[test]
    fn a_campaign_that_waits_for_its_time_says_so_and_is_in_no_trouble() {
        let hours = Some(Hours { from_minute: 2, to_minute: 3 });
        let waiting = Campaign { starts_at: Some(Timestamp(60_000)), hours, ..running(0) };
        let at = |now| state(&waiting, Timestamp(now));
        assert_eq!(
            [at(59_999), at(60_000), at(120_000)],
            ["waits for its start", "waits for its hours", "running"]
        );
        let paused = Campaign { state: CampaignState::Paused, ..waiting };
        assert_eq!(state(&paused, Timestamp(0)), "paused");
        let later = Campaign {
            starts_at: Some(Timestamp::now().after(std::time::Duration::from_secs(60))),
            ..running(0)
        };
        let shown = table(&[later]).to_string();
        let line = shown.lines().nth(1).unwrap();
        assert!(line.contains("waits for its start") && line.trim_end().ends_with(" 0"), "{shown}");
    }

    #[test]
    fn a_description_has_every_fact() {
        let hours = Some(Hours { from_minute: 540, to_minute: 1_050 });
        let shown = description(&Campaign { hours, ..running(4_000) });
        for fact in
            ["every account", "09:00-17:30 UTC", "500 a second", "recipients  10000", "sent        4000"]
        {
            assert!(shown.contains(fact), "{fact}: {shown}");
        }
    }
}
