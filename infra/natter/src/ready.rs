//! `natter ready`: asks a process of ours whether it does its work, for orchestrators that run a command to know.

use std::time::Duration;

use anyhow::bail;
use natter_host::{Arguments, Settings, TelemetrySettings};
use tokio::time::{Instant, sleep};

const ASK_EVERY: Duration = Duration::from_millis(100);

/// Which process.
#[derive(Debug, clap::Args)]
pub(crate) struct ReadyArguments {
    #[command(flatten)]
    common: Arguments,
    /// Wait for so many seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 0)]
    wait: u64,
}

pub(crate) async fn run(arguments: ReadyArguments) -> anyhow::Result<()> {
    let settings: TelemetrySettings = Settings::load(&arguments.common)?.section("telemetry")?;
    if settings.listen.is_empty() {
        bail!("telemetry.listen is not set: nobody can be asked");
    }
    // What listens everywhere listens on loopback.
    let address = settings.listen.replacen("0.0.0.0:", "127.0.0.1:", 1);
    let deadline = Instant::now() + Duration::from_secs(arguments.wait);
    while !crate::up::answers(&address, "/readyz").await {
        if Instant::now() >= deadline {
            bail!("{address} is not ready");
        }
        sleep(ASK_EVERY).await;
    }
    Ok(())
}
