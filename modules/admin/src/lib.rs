//! Administration: roles, broadcasts, announcements, campaigns, moderation, insight, and the audit log of it all.

mod settings;

use broker_schemas::Service;
use broker_schemas::permission::Holder;
use natter_host::{Part, Process, Running};

pub use settings::Settings;

/// The admin module, as a part that a process can run.
#[derive(Debug, Clone, Copy)]
pub struct Admin;

impl Part for Admin {
    const NAME: &'static str = broker_schemas::admin::Admin::NAME;
    type Settings = Settings;

    async fn start(process: &Process, settings: Settings) -> anyhow::Result<Running> {
        settings.check()?;
        let bus = process.bus(Holder::Service(Self::NAME)).await?;
        Ok(Running::new(Self::NAME, async move { bus.close().await }))
    }
}
