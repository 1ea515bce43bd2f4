//! `admin.audit`: a page of the audit log.

use broker_schemas::admin::{Admin, Audit, ListAudit};
use broker_schemas::{Auditor, Error};
use natter_host::{Call, Handle, Result};

use crate::audit::is_logged;
use crate::store::Filter;
use crate::{Checked, Module, page};

impl Handle<ListAudit> for Module {
    /// Reading the log is in the log.
    async fn handle(&self, call: &Call<Auditor>, request: ListAudit) -> Result<Audit> {
        self.audited(call, &request, None, async {
            let limit = page::limit(request.limit)?;
            request.method.as_deref().map_or(Ok(()), check_method)?;
            let filter = Filter {
                by: request.by,
                on: request.on,
                method: request.method.as_deref().map(str::to_owned),
                before: request.before,
            };
            let found = self.store.acts(&filter, limit + 1).await?;
            let (entries, more) = page::fit(found, limit);
            Ok(Audit { entries, more })
        })
        .await
    }
}

/// # Errors
/// Names the methods that the log can have. A misspelt one would look like one that nobody called.
fn check_method(name: &str) -> Checked<()> {
    let logged = || Admin::SPEC.methods.iter().map(|method| method.name).filter(|name| is_logged(name));
    if logged().any(|known| known == name) {
        return Ok(());
    }
    Err(Error::invalid(format!("method: expected one of {}", logged().collect::<Vec<_>>().join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_that_the_log_cannot_have_is_refused_with_those_that_it_can() {
        for known in ["ban", "remove_message", "appoint", "audit"] {
            assert_eq!(check_method(known), Ok(()), "{known}");
        }
        for unknown in ["", "bann", "Ban", "remove-message", "admin.ban", "take_report"] {
            let message = check_method(unknown).unwrap_err().message;
            assert!(
                message.starts_with("method: expected one of grant, ") && message.contains(" ban,"),
                "{message}"
            );
            assert!(!message.contains("take_report"), "{message}");
        }
    }
}
