//! Examples of statistics and of the audit log.

use broker_schemas::admin::{self, AuditEntry, AuditOutcome, CopyStats, EdgeSessions, MethodStats, Stats};
use broker_schemas::caller::Role;
use broker_schemas::user::Census;
use broker_schemas::{Code, EdgeId};

use super::super::{Example, reply, request, text, then, user_id};

pub(super) fn examples() -> Vec<Example> {
    let edges = vec![EdgeSessions { edge: EdgeId::new("e-1").unwrap(), sessions: 300 }];
    let method = MethodStats { method: "send".into(), requests: 70_000, errors: 3, mean_us: 900 };
    let copy = CopyStats {
        service: "message".into(),
        id: "VMKS9xRD".into(),
        version: "0.1.0".into(),
        started_at: then(),
        in_flight: 2,
        limit: 512,
        requests: 100_000,
        errors: 4,
        mean_us: 1_100,
        database_bytes: Some(5_000_000),
        methods: vec![method],
    };
    let without = CopyStats { database_bytes: None, methods: Vec::new(), ..copy.clone() };
    let census = Some(Census { accounts: 1_000, online: 290, edges });
    let done = AuditEntry {
        entry: 300,
        at: then(),
        by: Some(user_id(1)),
        roles: vec![Role::Operator, Role::Moderator],
        from: "127.0.0.1 through e-1".into(),
        method: "ban".into(),
        on: Some(user_id(7)),
        request: r#"{"user":7,"reason":"spam","until":null}"#.into(),
        outcome: Some(AuditOutcome::Done),
    };
    let refused = AuditEntry {
        by: None,
        roles: Vec::new(),
        on: None,
        outcome: Some(AuditOutcome::Refused { code: Code::Unauthenticated, message: "sign in first".into() }),
        ..done.clone()
    };
    let unknown = AuditEntry { outcome: None, ..done.clone() };
    let page = admin::Audit { entries: vec![done, refused, unknown], more: true };
    vec![
        request("all of it", &admin::GetStats {}),
        reply::<admin::GetStats>("nobody answers", &Stats { at: then(), census: None, copies: Vec::new() }),
        reply::<admin::GetStats>("two copies", &Stats { at: then(), census, copies: vec![copy, without] }),
        request(
            "the newest",
            &admin::ListAudit { by: None, on: None, method: None, before: None, limit: None },
        ),
        request(
            "filtered",
            &admin::ListAudit {
                by: Some(user_id(1)),
                on: Some(user_id(7)),
                method: Some(text("ban")),
                before: Some(300),
                limit: Some(200),
            },
        ),
        reply::<admin::ListAudit>("nothing", &admin::Audit { entries: Vec::new(), more: false }),
        reply::<admin::ListAudit>("a page", &page),
    ]
}
