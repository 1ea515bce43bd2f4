//! Methods for operators: through which doors they are reached, and what is heard of those who are refused.

use broker_schemas::admin::{self, Admin};
use broker_schemas::header;
use serde_json::Value;
use tokio::sync::mpsc;

use super::*;
use crate::serve::{Observer, Refused};

/// Refuses as `not_found` whatever reaches a handler.
struct Staffed;

macro_rules! handlers {
    ($($request:ident),* $(,)?) => { $(
        impl Handle<admin::$request> for Staffed {
            async fn handle(
                &self,
                _: &Call<<admin::$request as Method>::Caller>,
                _: admin::$request,
            ) -> Result<<admin::$request as Method>::Reply> {
                Err(Error::not_found("handled").into())
            }
        }
    )* };
}

handlers!(
    Grant,
    Revoke,
    Appoint,
    ListStaff,
    Broadcast,
    Announce,
    ChangeAnnouncement,
    Withdraw,
    ListAnnouncements,
    CreateCampaign,
    DryRun,
    StartCampaign,
    PauseCampaign,
    ResumeCampaign,
    CancelCampaign,
    GetCampaign,
    ListCampaigns,
    Ban,
    Unban,
    Mute,
    SignOut,
    RemoveMessage,
    DissolveGroup,
    ListReports,
    SettleReport,
    ListRules,
    SetRule,
    RemoveRule,
    GetStats,
    ListAudit,
    TakeReport
);

/// Hands on what it hears.
#[derive(Debug)]
struct Heard(mpsc::Sender<Refused>);

impl Observer for Heard {
    fn refused(&self, refused: Refused) {
        self.0.try_send(refused).unwrap();
    }
}

impl Rig {
    async fn staffed(&self) -> (Serving<Staffed>, mpsc::Receiver<Refused>) {
        let bus = self.bus(Holder::Service("admin")).await;
        let verifier = Verifier::from_file(&self.settings.directory.join("passport.pub")).unwrap();
        let (observer, refused) = mpsc::channel(16);
        let with = With { observer: Some(Arc::new(Heard(observer))), database: None };
        let verifier = Arc::new(verifier);
        let serving = Serving::start::<Admin>(bus, verifier, "1.2.3", Arc::new(Staffed), with).await.unwrap();
        (serving, refused)
    }
}

async fn ban(bus: &Bus, exposure: Exposure, passport: Option<&str>, body: &'static str) -> Error {
    let subject = subject::method(exposure, &admin::Ban::SPEC);
    let scope = Scope { passport: passport.map(Into::into), ..within(2_000) };
    let headers = [(header::EDGE, "e1"), (header::CLIENT_ADDRESS, "192.0.2.7")];
    let content_type = ContentType::Json;
    let forward =
        Forward { subject: &subject, scope: &scope, content_type, headers: &headers, repeatable: false };
    bus.forward(forward, body.into()).await.unwrap_err()
}

const BAN: &str = r#"{"user":9,"reason":"spam"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn an_administrative_call_through_a_plain_edge_is_refused_whoever_makes_it_and_heard_of() {
    let rig = Rig::start().await;
    let (serving, mut refused) = rig.staffed().await;
    let edge = rig.bus(Holder::Edge).await;
    let operator = rig.passport(&[Role::Operator]);

    let error = ban(&edge, Exposure::Client, Some(&operator), BAN).await;
    assert_eq!(error.code, Code::Forbidden);
    assert!(error.message.contains("carries no administrative calls"), "{error}");
    let heard = refused.recv().await.unwrap();
    assert_eq!(
        (heard.method.name, heard.exposure, heard.error.code),
        ("ban", Exposure::Client, Code::Forbidden)
    );
    assert_eq!(heard.identity.unwrap().user, user(7));
    assert_eq!((heard.edge.unwrap().as_str(), heard.client_address.as_deref()), ("e1", Some("192.0.2.7")));
    assert_eq!(heard.request, BAN);

    // What the bus itself keeps from a plain edge doesn't even get here.
    let error = ban(&edge, Exposure::Admin, Some(&operator), BAN).await;
    assert_eq!(error.code, Code::Internal);
    assert!(refused.try_recv().is_err());
    serving.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_refusal_before_the_handler_is_heard_of_and_none_of_the_handlers_own() {
    let rig = Rig::start().await;
    let (serving, mut refused) = rig.staffed().await;
    let edge = rig.bus(Holder::AdminEdge).await;
    let [plain, moderator] = [vec![], vec![Role::Moderator]].map(|roles| rig.passport(&roles));
    let forged = rig.passport_signed_by(Some([9; 32]), &[Role::Operator]);
    let heard_of = async |refused: &mut mpsc::Receiver<Refused>| {
        let heard = refused.recv().await.unwrap();
        (heard.error.code, heard.identity.map(|identity| identity.user), heard.request)
    };

    for (passport, body, code, who) in [
        (None, BAN, Code::Unauthenticated, None),
        (Some(&forged), BAN, Code::Unauthenticated, None),
        (Some(&plain), BAN, Code::Forbidden, Some(user(7))),
        (Some(&moderator), r#"{"user":0}"#, Code::Invalid, Some(user(7))),
    ] {
        let passport = passport.map(AsRef::as_ref);
        assert_eq!(ban(&edge, Exposure::Admin, passport, body).await.code, code);
        assert_eq!(heard_of(&mut refused).await, (code, who, body.to_owned()));
    }
    assert_eq!(ban(&edge, Exposure::Admin, Some(&moderator), BAN).await.message, "handled");
    assert!(refused.try_recv().is_err());
    serving.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_nobody_can_read_is_told_in_bounds() {
    let rig = Rig::start().await;
    let (serving, mut refused) = rig.staffed().await;
    let edge = rig.bus(Holder::AdminEdge).await;
    let moderator = rig.passport(&[Role::Moderator]);
    let long: &'static str = format!("\"{}\"", "ä".repeat(20_000)).leak();
    assert_eq!(ban(&edge, Exposure::Admin, Some(&moderator), long).await.code, Code::Invalid);
    let heard = refused.recv().await.unwrap();
    assert!((8_000..=8_192).contains(&heard.request.len()), "{}", heard.request.len());
    let larger: &'static str = "x".repeat(70_000).leak();
    assert_eq!(ban(&edge, Exposure::Admin, Some(&moderator), larger).await.code, Code::TooLarge);
    serving.drain().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_survey_hears_of_every_copy_what_it_does_and_only_the_admin_module_may_ask() {
    let rig = Rig::start().await;
    let (serving, _refused) = rig.staffed().await;
    let [one, other] = [rig.serve().await, rig.serve().await];
    let asking = rig.bus(Holder::Service("admin")).await;
    let patience = Duration::from_secs(2);
    let answers = asking.survey(Discovery::Stats, patience).await.unwrap();
    let answers: Vec<Value> = answers.iter().map(|answer| serde_json::from_slice(answer).unwrap()).collect();
    let names: Vec<_> = answers.iter().map(|answer| answer["name"].as_str().unwrap()).collect();
    assert_eq!(names.iter().filter(|name| **name == "friend").count(), 2, "{names:?}");
    assert_eq!(names.iter().filter(|name| **name == "admin").count(), 1, "{names:?}");
    assert_eq!(answers[0]["metadata"]["in_flight"], "0");
    assert_eq!(answers[0]["metadata"]["limit"], "1024", "512 of clients, and 512 of parts");
    assert!(answers[0]["metadata"].get("database_bytes").is_none());

    let message = rig.caller().await;
    assert_eq!(message.survey(Discovery::Stats, patience).await.unwrap_err().code, Code::Internal);
    for serving in [one, other] {
        serving.drain().await;
    }
    serving.drain().await;
}
