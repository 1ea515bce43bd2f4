//! A share of the calls goes to copies that try a new version: subject mappings of the NATS servers.

use anyhow::{Context, ensure};
use broker_schemas::subject::{self, Subject};
use broker_schemas::{Exposure, MethodSpec, ServiceSpec, find_service};

use crate::bus::Bus;
use crate::file;

/// The most that a canary gets. A copy that drains sends itself what ends its subscriptions, on the subjects that are
/// mapped: enough of it has to come back.
const PERCENT_MAX: u8 = 90;

/// What goes to a canary.
#[derive(Debug, Clone)]
pub(crate) struct Canary {
    service: &'static ServiceSpec,
    /// One method of it; all when absent.
    method: Option<&'static MethodSpec>,
    percent: u8,
}

/// Says what is wrong with sending `percent` of the calls of `what` to canaries, before anything is done for it.
///
/// # Errors
/// When nothing is called so, or `percent` is more than 90.
pub fn check_canary(what: &str, percent: u8) -> anyhow::Result<()> {
    Canary::of(what, percent).map(drop)
}

impl Bus {
    /// Sends `percent` of the calls of `what` (a service, or `service.method`) to canaries; 0 sends none. The servers do so
    /// once they have read their configuration again.
    ///
    /// # Errors
    /// When nothing is called so, `percent` is more than 90, or the directory can't be written.
    pub fn set_canary(&self, what: &str, percent: u8) -> anyhow::Result<()> {
        let canary = Canary::of(what, percent)?;
        let mut canaries = self.canaries()?;
        canaries.retain(|other| other.name() != canary.name());
        if percent > 0 {
            canaries.push(canary);
        }
        let line = |canary: &Canary| format!("{} {}\n", canary.name(), canary.percent);
        self.write_canaries(&canaries.iter().map(line).collect::<String>())
    }

    /// Whether a share of any call of a service goes to a canary.
    ///
    /// # Errors
    /// When the file that says so is damaged.
    pub fn has_canary(&self, service: &str) -> anyhow::Result<bool> {
        Ok(self.canaries()?.iter().any(|canary| canary.service.name == service))
    }

    /// Sends nothing to canaries any more.
    ///
    /// # Errors
    /// When the directory can't be written.
    pub fn forget_canaries(&self) -> anyhow::Result<()> {
        self.write_canaries("")
    }

    fn write_canaries(&self, text: &str) -> anyhow::Result<()> {
        file::write(&self.dir().join("canaries"), text)?;
        Self::open_secrets(self.dir()).map(drop)
    }

    pub(crate) fn canaries(&self) -> anyhow::Result<Vec<Canary>> {
        let path = self.dir().join("canaries");
        if !path.exists() {
            return Ok(Vec::new());
        }
        let parse = |line: &str| {
            let (what, percent) = line.split_once(' ').context("expected `<service> <percent>`")?;
            Canary::of(what, percent.parse()?)
        };
        let text = file::read(&path)?;
        let canaries: anyhow::Result<Vec<_>> = text.lines().map(parse).collect();
        canaries.with_context(|| format!("{} is damaged", path.display()))
    }
}

impl Canary {
    fn of(what: &str, percent: u8) -> anyhow::Result<Self> {
        ensure!(
            percent <= PERCENT_MAX,
            "a canary gets {PERCENT_MAX} % at most; for more, replace all copies"
        );
        let (name, method) = what.split_once('.').map_or((what, None), |(name, method)| (name, Some(method)));
        let service = find_service(name).with_context(|| format!("there is no service {name}"))?;
        let find = |method: &str| {
            let found = service.methods.iter().find(|spec| spec.name == method);
            found.with_context(|| format!("{name} has no method {method}"))
        };
        Ok(Self { service, method: method.map(find).transpose()?, percent })
    }

    fn name(&self) -> String {
        let method = self.method.map(|method| format!(".{}", method.name)).unwrap_or_default();
        format!("{}{method}", self.service.name)
    }

    /// Lines of the account's `mappings`.
    pub(crate) fn mappings(&self) -> Vec<String> {
        let serves = |exposure: &Exposure| {
            let of_method = |method: &MethodSpec| method.exposures.contains(exposure);
            self.method.map_or_else(|| self.service.methods.iter().any(of_method), of_method)
        };
        let exposures = [Exposure::Client, Exposure::Admin, Exposure::Internal];
        let from = |exposure: Exposure| match self.method {
            Some(method) => subject::versions(exposure, method),
            None => subject::methods(exposure, self.service),
        };
        exposures.into_iter().filter(serves).map(|exposure| self.mapping(&from(exposure))).collect()
    }

    fn mapping(&self, from: &Subject) -> String {
        // What the wildcards stood for, in their order, goes where they stand.
        let to = |subject: &Subject| subject.as_str().replacen('*', "$1", 1).replacen('*', "$2", 1);
        let (stays, goes) = (to(from), to(&subject::canary(from)));
        let (percent, rest) = (self.percent, 100 - self.percent);
        format!(
            "    \"{from}\": [ {{ destination: \"{stays}\", weight: {rest}% }}, {{ destination: \"{goes}\", weight: {percent}% }} ]\n"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_that_makes_no_sense_is_refused() {
        let error = |what: &str, percent| Canary::of(what, percent).unwrap_err().to_string();
        assert!(error("message", 91).contains("90 % at most"));
        assert!(error("weather", 10).contains("no service weather"));
        assert!(error("message.rain", 10).contains("no method rain"));
    }

    #[test]
    fn one_method_or_all_go_to_a_canary() {
        let all = Canary::of("message", 10).unwrap().mappings().concat();
        let stays =
            r#""natter.client.message.*.*": [ { destination: "natter.client.message.$1.$2", weight: 90% }"#;
        assert!(all.contains(stays), "{all}");
        assert!(all.contains(r#""natter.canary.internal.message.$1.$2", weight: 10%"#), "{all}");
        let one = Canary::of("message.send", 25).unwrap().mappings();
        assert_eq!(one.len(), 1, "{one:?}");
        assert!(one[0].contains(r#""natter.canary.client.message.$1.send", weight: 25%"#), "{one:?}");
    }
}
