//! What is planned of a topology, at first and again when it has changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use natter_topology::{Database, Topology};

use super::data::Data;
use super::plan::Planner;
use super::postgres::{Keeper, Postgres};
use super::recipe::Recipe;
use super::supervisor::{Did, Supervisor};
use super::{UpArguments, rotate};

/// All that it takes to plan again.
pub(super) struct Installation {
    arguments: UpArguments,
    pub(super) data: Data,
    planner: Planner,
    postgres: Option<Postgres>,
    /// Parts of which a copy runs that tries a new version, and its program if that is another.
    pub(super) canaries: BTreeMap<String, Option<PathBuf>>,
}

/// What runs, in the order in which it starts.
pub(super) struct Plan {
    nats: Vec<Recipe>,
    postgres: Vec<Recipe>,
    processes: Vec<Recipe>,
}

impl Installation {
    pub(super) async fn prepare(arguments: UpArguments) -> anyhow::Result<(Self, Plan)> {
        let topology = arguments.load()?;
        let data = Data::open(&arguments.data)?;
        let base_port = arguments.base_port.unwrap_or(topology.base_port);
        let mut planner = Planner::new(base_port, arguments.set.clone()).await?;
        if arguments.keep_hung {
            planner.keep_hung();
        }
        planner.reserve_ports(&topology)?;
        if arguments.hosts {
            planner.put_on_hosts(&data)?;
        }
        let postgres = match &topology.database {
            Database::Postgres { url: None, standby, synchronous } => {
                Some(Postgres::prepare(&data, &mut planner, (*standby, *synchronous)).await?)
            }
            _ => None,
        };
        // What was tried when this ran last doesn't run any more.
        natter_nats::Bus::open_secrets(&data.bus())?.forget_canaries()?;
        let mut this = Self { arguments, data, planner, postgres, canaries: BTreeMap::new() };
        let plan = this.plan(&topology)?;
        Ok((this, plan))
    }

    fn plan(&mut self, topology: &Topology) -> anyhow::Result<Plan> {
        let bus = self.planner.nats(topology, &self.data)?;
        let database = self.database(topology);
        let mut processes = self.planner.processes(topology, &self.data, &bus, &database)?;
        for (part, program) in &self.canaries {
            let of = (part.as_str(), program.as_deref());
            processes.push(self.planner.canary(topology, &self.data, &bus, &database, of)?);
        }
        let postgres = self.postgres.as_ref().map(Postgres::recipes).unwrap_or_default();
        Ok(Plan { nats: bus.recipes, postgres, processes })
    }

    fn database(&self, topology: &Topology) -> String {
        match (&self.postgres, &topology.database) {
            (Some(postgres), _) => postgres.url(),
            (None, Database::Postgres { url: Some(url), .. }) => url.clone(),
            (None, _) => format!("sqlite:{}", self.data.path().join("db").display()),
        }
    }

    /// What runs a copy of `part` that tries a new version.
    pub(super) fn canary(&mut self, part: &str, program: Option<&Path>) -> anyhow::Result<Recipe> {
        let topology = self.arguments.load()?;
        let (bus, database) = (self.planner.nats(&topology, &self.data)?, self.database(&topology));
        self.planner.canary(&topology, &self.data, &bus, &database, (part, program))
    }

    /// Who looks after the database, where it is the installation's own.
    pub(super) fn keeper(&self, supervisor: &Supervisor) -> anyhow::Result<Option<Keeper>> {
        self.postgres.clone().map(|postgres| Keeper::new(postgres, supervisor.clone())).transpose()
    }

    /// Takes a host off the network (`down`), or puts it back (`up`).
    pub(super) fn set_link(&self, host: &str, state: &str) -> anyhow::Result<()> {
        self.planner.set_link(host, state)
    }

    /// Starts what the plan says, each once that is ready which it stands on.
    pub(super) async fn start(
        &self,
        supervisor: &Supervisor,
        keeper: Option<&Keeper>,
        plan: Plan,
    ) -> anyhow::Result<()> {
        // One after the other: each connects to those before it.
        let mut started = Ok(());
        for server in plan.nats {
            started = started.and(supervisor.start(vec![server]).await);
        }
        started?;
        if let Some(keeper) = keeper {
            keeper.start().await?;
        }
        // A process that can't start is tried again; it doesn't keep the others from their work.
        if let Err(error) = supervisor.start(plan.processes).await {
            tracing::error!(error = format!("{error:#}"), "not everything has started");
        }
        Ok(())
    }

    /// Reads the topology again and does what has changed.
    pub(super) async fn reload(&mut self, supervisor: &Supervisor, did: &Did) -> anyhow::Result<()> {
        let topology = self.arguments.load()?;
        let has_standby = matches!(topology.database, Database::Postgres { standby: true, .. });
        ensure!(
            topology.has_postgres() == self.postgres.is_some()
                && has_standby == self.postgres.as_ref().is_some_and(Postgres::has_standby),
            "another database takes a new start of `natter up`"
        );
        let plan = self.plan(&topology)?;
        // Their configurations were written anew, and they read them without stopping.
        rotate::reload(supervisor, did).await?;
        let all = plan.nats.into_iter().chain(plan.postgres).chain(plan.processes).collect();
        supervisor.follow(all, did).await
    }
}
